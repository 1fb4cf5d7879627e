"""Lakes that earlier code has made: the code of today goes on with them, and reads no landed file again."""

import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from include.pipeline import PROJECT, TASKS
from tests.jobs.conftest import RunJob
from tests.jobs.shop import CUT_POINTS, TEXTS, land

LAKES = sorted((PROJECT / "tests" / "old_lakes").glob("*.tar.gz"))
AS_OF = "2011-02-10"
PARAMS = {"export_cleaned_data": True}

pytestmark = pytest.mark.parametrize("archive", LAKES, ids=lambda path: path.name)


@pytest.fixture
def lake(archive: Path, tmp_path: Path) -> Path:
    """The lake, with other bytes in the landed files than those it was made from: reading them would show."""
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "lake", filter="tar")
    for file in (tmp_path / "lake" / "landing").iterdir():
        times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
        with file.open("r+b") as stream:  # same size and time, so that it is the same file to `ingest`
            stream.write(b"x" * file.stat().st_size)
        os.utime(file, ns=times)
    return tmp_path / "lake"


def published_texts(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_bytes().decode().replace("\r\n", "\n") for name in TEXTS}


def test_a_date_is_published_again_without_reading_a_landed_file(run: RunJob, lake: Path) -> None:
    for task in TASKS:
        ended = run(task, lake, AS_OF, PARAMS)
        assert ended.code == 0, ended.log
        assert task == "publish" or "WARNING" not in ended.log  # which warns of five customers
    folder = lake / "published" / f"as_of={AS_OF}"
    assert published_texts(folder) == TEXTS
    assert json.loads((folder / "cut_points.json").read_text()) == CUT_POINTS
    stages = json.loads((folder / "run.json").read_text())["stages"]
    assert (stages["ingest"]["files_converted"], stages["clean"]["files_cleaned"]) == (0, 0)


@pytest.mark.parametrize("first", TASKS[2:])
def test_a_task_that_is_cleared_alone_goes_on_from_what_is_there(run: RunJob, lake: Path, first: str) -> None:
    for task in TASKS[TASKS.index(first) :]:
        assert run(task, lake, AS_OF, PARAMS).code == 0
    assert published_texts(lake / "published" / f"as_of={AS_OF}") == TEXTS


def test_only_a_new_file_is_read(lake: Path, snapshot: Callable[..., Path]) -> None:
    land(lake, "2011-02-09.csv", ["115,B,MUG,2,2011-02-09 08:00:00,3.50,102,Spain"])
    folder = snapshot(lake, AS_OF, PARAMS)
    record = json.loads((folder / "run.json").read_text())
    assert (record["format"], record["stages"]["ingest"]["files_converted"]) == (1, 1)
    assert (record["stages"]["ingest"]["rows_in"], record["stages"]["clean"]["rows_out"]) == (17, 13)
    for manifest in [*lake.glob("ingested/*/view.json"), *lake.glob("cleaned/*/view.json")]:
        assert json.loads(manifest.read_text())["format"] == 1


def test_the_lake_goes_on_from_its_numbers(run: RunJob, lake: Path) -> None:
    before = json.loads((lake / "published" / f"as_of={AS_OF}" / "run.json").read_text())
    (lake / ".listing").unlink()
    for task in TASKS:
        assert run(task, lake, AS_OF, PARAMS).code == 0
    after = json.loads((lake / "published" / f"as_of={AS_OF}" / "run.json").read_text())
    assert (after["listing"], after["attempt"]) > (before["listing"], before["attempt"])
