"""`ingest` on executors whose Python has no packages. Both ways of a cluster that is not our image: it fails
with a sentence, or the packages come in an archive, with the settings of deploy.md.

The archive is packed from the packages installed here, and not downloaded as in deploy.md.
"""

import os
import re
import shutil
import subprocess
import tarfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import files, requires
from pathlib import Path

import polars as pl
import pytest
from packaging.requirements import Requirement

from include.pipeline import ERROR_MARK, EXIT_USER_ERROR, PROJECT
from tests.cluster import cluster
from tests.java_options import SHORT_JOB, read_options
from tests.jobs.conftest import Ended, arguments
from tests.jobs.shop import AS_OF
from tests.tables import csv_bytes, land, line

DEPLOY = (PROJECT / "include" / "docs" / "deploy.md").read_text()
PACKED = "/lake/.executor-packages.tar.gz"  # in deploy.md


@pytest.fixture(scope="module")
def master(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a cluster whose `python3` is of the driver's version, and has no packages."""
    folder = tmp_path_factory.mktemp("cluster")
    venv.create(folder / "python")
    path = os.pathsep.join([str(folder / "python" / "bin"), environment["PATH"]])
    bare = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    quick = {"SPARK_DAEMON_JAVA_OPTS": read_options(SHORT_JOB)}
    with cluster(1, folder, bare | quick | {"PATH": path}) as url:
        yield url
    shutil.rmtree(folder)  # pytest would keep the unpacked packages


def ingest(lake: Path, master: str, environment: Mapping[str, str], settings: Sequence[str]) -> Ended:
    configured = [
        word for setting in ("spark.executor.memory=512m", *settings) for word in ("--conf", setting)
    ]
    script = str(PROJECT / "tests" / "jobs" / "distributed_ingest.py")
    done = subprocess.run(
        ["spark-submit", "--master", master, *configured, script, *arguments(lake, AS_OF, None, None)],
        env=environment,
        cwd=environment["RFM_WORKING_FOLDER"],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Ended(done.returncode, done.stdout)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    land(tmp_path / "landing", "large.csv", csv_bytes(line(), line(quantity="2"), line(price="x")))
    return tmp_path


def test_an_executor_without_the_packages_ends_ingest_with_a_sentence(
    lake: Path, master: str, environment: dict[str, str]
) -> None:
    ended = ingest(lake, master, environment, [])
    assert ended.code == EXIT_USER_ERROR, ended.log[-3000:]
    # Not always the last line: Spark may still report its other tasks.
    assert [text for text in ended.log.splitlines() if ERROR_MARK in text] == [
        f"{ERROR_MARK}ingest: an executor's Python has no module pyarrow; give the executors the driver's "
        "version of Python and its packages: see 'Python on the executors' in include/docs/deploy.md"
    ]


# -- the way of deploy.md -----------------------------------------------------------------------


def documented_packages() -> list[str]:
    command = re.search(r"-c requirements\.lock \\\n(.*)", DEPLOY)
    assert command
    return command[1].split()


def documented_settings(archive: Path) -> list[str]:
    block = re.search(rf"```\n(spark\.archives +{re.escape(PACKED)}.*\n.*)\n```", DEPLOY)
    assert block
    return ["=".join(setting.split()) for setting in block[1].replace(PACKED, str(archive)).splitlines()]


def with_requirements(packages: Sequence[str]) -> set[str]:
    found, open_ = set[str](), list(packages)
    while open_:
        package = open_.pop()
        if package not in found:
            found.add(package)
            wanted = map(Requirement, requires(package) or [])
            open_ += [one.name for one in wanted if not one.marker or one.marker.evaluate({"extra": ""})]
    return found


def pack(packages: Sequence[str], archive: Path) -> None:
    with tarfile.open(archive, "w:gz", compresslevel=0) as packed:
        for file in [file for package in with_requirements(packages) for file in files(package) or []]:
            if ".." not in file.parts and Path(file.locate()).is_file():  # else it is a command
                packed.add(file.locate(), str(file))


def test_executors_read_with_the_packages_of_an_archive(
    lake: Path, master: str, environment: dict[str, str], tmp_path: Path
) -> None:
    archive = tmp_path / "packages.tar.gz"
    pack(documented_packages(), archive)
    ended = ingest(lake, master, environment, documented_settings(archive))
    archive.unlink()  # pytest would keep it
    assert ended.code == 0, ended.log[-3000:]
    written = [pl.read_parquet(file, hive_partitioning=True) for file in lake.glob("ingested/**/*.parquet")]
    lines = pl.concat([table.select("line", "quantity", "reason") for table in written]).sort("line")
    assert lines.cast({"quantity": pl.Int64}).rows() == [
        (2, 6, None),
        (3, 2, None),
        (4, 6, "unit_price_unreadable"),
    ]
