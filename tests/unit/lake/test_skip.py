"""Tasks that end without Spark: only where nothing is to be done, and as if they had been submitted."""

from pathlib import Path

import pytest

from include.errors import InputError
from include.lake.commit import commit_manifest
from include.lake.manifest import read_cleaned, read_ingested
from include.lake.paths import Lake, batch_folder
from include.lake.skip import Skipped, skip
from include.lake.state import Execution
from include.settings import RunConfig, Segmentation
from tests.tables import land
from tests.unit.lake.test_plan import commit_cleaned, commit_ingested


@pytest.fixture
def settings(config: RunConfig) -> Segmentation:
    return config.settings


@pytest.fixture
def lake(tmp_path: Path, settings: Segmentation) -> Lake:
    """Two files, converted and cleaned."""
    lake = Lake(tmp_path / "lake")
    for name in ("a.csv", "more.csv"):
        land(lake.landing, name, name.encode())
    commit_ingested(lake, settings, "a.csv", "more.csv")
    commit_cleaned(lake, settings, {"a.csv": "orders", "more.csv": "orders"})
    return lake


def skipped(task: str, lake: Lake, settings: Segmentation) -> Skipped | None:
    return skip(lake, settings, Execution(task, "the run of today"))


def test_ingest_without_a_new_file_commits_a_newer_manifest(lake: Lake, settings: Segmentation) -> None:
    stage = lake.ingested(settings.ingest_fingerprint)
    before = read_ingested(stage)
    found = skipped("ingest", lake, settings)
    after = read_ingested(stage)
    assert found and found.record == after.stages["ingest"]
    assert after.files == before.files
    assert after.landing_version > before.landing_version
    assert (found.record.rows_in, found.record.rows_out) == (6, 4)
    assert (found.record.files_landed, found.record.files_converted) == (2, 0)
    assert (found.record.dag_run, found.record.application_id) == ("the run of today", None)


def test_a_deleted_file_leaves_without_spark(lake: Lake, settings: Segmentation) -> None:
    (lake.landing / "a.csv").unlink()
    assert skipped("ingest", lake, settings)
    assert skipped("clean", lake, settings)
    assert list(read_ingested(lake.ingested(settings.ingest_fingerprint)).files) == ["more.csv"]
    cleaned = read_cleaned(lake.cleaned(settings.clean_fingerprint))
    assert list(cleaned.files) == list(cleaned.orders.files) == list(cleaned.ingested.files) == ["more.csv"]


def test_clean_without_a_new_file_takes_over_the_record_of_ingest(lake: Lake, settings: Segmentation) -> None:
    skipped("ingest", lake, settings)
    found = skipped("clean", lake, settings)
    manifest = read_cleaned(lake.cleaned(settings.clean_fingerprint))
    ingested = read_ingested(lake.ingested(settings.ingest_fingerprint))
    assert found and manifest.stages == ingested.stages | {"clean": found.record}
    assert manifest.landing_version == ingested.landing_version
    assert (found.record.rows_in, found.record.rows_out, found.record.files_cleaned) == (4, 2, 0)


@pytest.mark.parametrize("change", ["a new file", "a changed file", "a lost batch"])
def test_ingest_is_submitted_where_a_file_must_be_read(
    lake: Lake, settings: Segmentation, change: str
) -> None:
    stage = lake.ingested(settings.ingest_fingerprint)
    if change == "a lost batch":
        batch_folder(stage, "one").rmdir()
    else:
        land(lake.landing, "new.csv" if change == "a new file" else "a.csv", b"other lines")
    before = read_ingested(stage)
    assert skipped("ingest", lake, settings) is None
    assert read_ingested(stage) == before


@pytest.mark.parametrize("lost", ["cleaned", "orders"])
def test_clean_is_submitted_where_a_batch_is_lost(lake: Lake, settings: Segmentation, lost: str) -> None:
    folder = {"cleaned": "clean", "orders": "orders"}[lost]
    batch_folder(lake.root / lost / f"rules={settings.clean_fingerprint}", folder).rmdir()
    assert skipped("clean", lake, settings) is None


def test_a_copy_of_a_known_file_is_warned_of_without_spark(lake: Lake, settings: Segmentation) -> None:
    land(lake.landing, "copy.csv", b"a.csv")
    found = skipped("ingest", lake, settings)
    assert found and found.warnings == ["not counted: copy.csv has the same content as a.csv"]
    assert found.record.files_not_counted == {"copy.csv": "has the same content as a.csv"}


@pytest.mark.parametrize("task", ["rfm", "segment", "publish"])
def test_the_other_tasks_are_always_submitted(lake: Lake, settings: Segmentation, task: str) -> None:
    assert skipped(task, lake, settings) is None


def test_a_run_that_listed_later_is_not_replaced(lake: Lake, settings: Segmentation) -> None:
    stage = lake.ingested(settings.ingest_fingerprint)
    newer = read_ingested(stage).model_copy(update={"landing_version": 1_000})
    commit_manifest(lake, stage, newer)
    (lake.root / ".listing").write_text("5")
    assert skipped("ingest", lake, settings)
    assert read_ingested(stage) == newer


def test_an_empty_landing_folder_is_refused_as_by_the_job(lake: Lake, settings: Segmentation) -> None:
    for file in lake.landing.iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"has no file that can be read"):
        skipped("ingest", lake, settings)
