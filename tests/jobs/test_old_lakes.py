"""Lakes that earlier code has made: the code of today reads their landed files again, once, and goes on."""

import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from include.pipeline import PROJECT, TASKS
from tests.jobs.conftest import RunJob
from tests.jobs.shop import CUT_POINTS, TEXTS, land
from tests.tables import LONG_AGO

LAKES = sorted((PROJECT / "tests" / "old_lakes").glob("*.tar.gz"))
AS_OF = "2011-02-10"
PARAMS = {"export_cleaned_data": True}

pytestmark = pytest.mark.parametrize("archive", LAKES, ids=lambda path: path.name)


@pytest.fixture
def lake(archive: Path, tmp_path: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "lake", filter="tar")
    for file in (tmp_path / "lake" / "landing").iterdir():
        os.utime(file, (LONG_AGO, LONG_AGO))  # not before the dates of its lines
    return tmp_path / "lake"


def published_texts(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_bytes().decode().replace("\r\n", "\n") for name in TEXTS}


def test_a_date_is_published_again_from_the_landed_files(run: RunJob, lake: Path) -> None:
    for task in TASKS:
        ended = run(task, lake, AS_OF, PARAMS)
        assert ended.code == 0, ended.log
        assert task == "publish" or "WARNING" not in ended.log  # which warns of five customers
    folder = lake / "published" / f"as_of={AS_OF}"
    assert published_texts(folder) == TEXTS
    assert json.loads((folder / "cut_points.json").read_text()) == CUT_POINTS
    stages = json.loads((folder / "run.json").read_text())["stages"]
    assert stages["ingest"]["files_converted"] == stages["ingest"]["files_landed"] > 1


@pytest.mark.parametrize("first", TASKS[1:])
def test_a_task_that_is_cleared_alone_names_the_task_to_clear_from(
    run: RunJob, lake: Path, first: str
) -> None:
    assert "clear the run from" in run(first, lake, AS_OF, PARAMS).refusal.lower()
    assert (lake / "published" / f"as_of={AS_OF}" / "rfm_df.csv").exists()


def test_from_then_on_only_a_new_file_is_read(lake: Path, snapshot: Callable[..., Path]) -> None:
    snapshot(lake, AS_OF, PARAMS)
    land(lake, "2011-02-09.csv", ["115,B,MUG,2,2011-02-09 08:00:00,3.50,102,Spain"])
    folder = snapshot(lake, AS_OF, PARAMS)
    record = json.loads((folder / "run.json").read_text())
    assert (record["format"], record["stages"]["ingest"]["files_converted"]) == (1, 1)
    assert (record["stages"]["ingest"]["rows_in"], record["stages"]["clean"]["rows_out"]) == (17, 13)
    for stage in ("ingested", "cleaned"):
        manifests = [json.loads(file.read_text()) for file in lake.glob(f"{stage}/*/view.json")]
        assert 1 in [manifest.get("format") for manifest in manifests]


def test_the_lake_goes_on_from_its_numbers(run: RunJob, lake: Path) -> None:
    before = json.loads((lake / "published" / f"as_of={AS_OF}" / "run.json").read_text())
    (lake / ".listing").unlink()
    for task in TASKS:
        assert run(task, lake, AS_OF, PARAMS).code == 0
    after = json.loads((lake / "published" / f"as_of={AS_OF}" / "run.json").read_text())
    assert (after["listing"], after["attempt"]) > (before["listing"], before["attempt"])
