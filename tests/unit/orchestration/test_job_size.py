"""Which jobs get the Java options of long ones."""

from pathlib import Path

import pytest

from include.lake.commit import commit_manifest
from include.lake.manifest import CleanedFile, CleanedManifest, IngestedFile, IngestedManifest
from include.lake.paths import Lake
from include.landing.files import identity
from include.orchestration import job_size
from include.orchestration.job_size import bytes_to_read, java_options
from include.settings import RunConfig, Segmentation
from tests.tables import csv_bytes, land, line

LONG = {"RFM_LONG_JOB_OPTS": "-XX:+UseParallelGC"}
TASKS_UP_TO_RFM = ("ingest", "clean", "rfm")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two landed files of 1,000 bytes."""
    lake = Lake(tmp_path / "lake")
    for name in ("new.csv", "old.csv"):
        land(lake.landing, name, csv_bytes(line()).ljust(1000, b"\n"))
    return lake


def commit_ingested(lake: Lake, settings: Segmentation, *names: str) -> None:
    """Make these files of the landing folder the ingested ones."""
    files = {}
    for name in names:
        size, modified = identity(lake.landing / name)
        files[name] = IngestedFile(batch="b", size=size, modified=modified, rows=1, kept=1, rejects={})
    manifest = IngestedManifest(files=files, landing_version=1)
    commit_manifest(lake, lake.ingested(settings.ingest_fingerprint), manifest)


def commit_cleaned(lake: Lake, settings: Segmentation, *names: str, landing_version: int = 1) -> None:
    """Make these files the cleaned ones."""
    entry = CleanedFile(batch="c", ingested_batch="b", kept=1, rejects={}, countries=[], needs_decimal=False)
    manifest = CleanedManifest(files=dict.fromkeys(names, entry), landing_version=landing_version)
    commit_manifest(lake, lake.cleaned(settings.clean_fingerprint), manifest)


def bytes_up_to_rfm(lake: Lake, settings: Segmentation) -> list[int]:
    return [bytes_to_read(task, lake, settings) for task in TASKS_UP_TO_RFM]


def test_everything_is_new_in_a_new_lake(lake: Lake, config: RunConfig) -> None:
    assert bytes_up_to_rfm(lake, config.settings) == [2000, 0, 0]


def test_an_ingested_file_is_read_by_clean_and_no_longer_by_ingest(lake: Lake, config: RunConfig) -> None:
    commit_ingested(lake, config.settings, "old.csv")
    assert bytes_up_to_rfm(lake, config.settings) == [1000, 1000, 0]


def test_a_cleaned_file_is_read_by_the_jobs_after_clean(lake: Lake, config: RunConfig) -> None:
    """An order counts as 20 lines, a customer as 100."""
    commit_ingested(lake, config.settings, "old.csv")
    commit_cleaned(lake, config.settings, "old.csv")
    assert bytes_up_to_rfm(lake, config.settings) == [1000, 0, 50]
    assert [bytes_to_read(task, lake, config.settings) for task in ("segment", "publish")] == [10, 10]


def test_a_changed_file_is_read_again(lake: Lake, config: RunConfig) -> None:
    commit_ingested(lake, config.settings, "old.csv")
    land(lake.landing, "old.csv", csv_bytes(line()).ljust(900, b"\n"))
    assert bytes_to_read("ingest", lake, config.settings) == 1900


def test_clean_reads_all_files_where_repeats_are_dropped_and_any_is_new(
    lake: Lake, config: RunConfig
) -> None:
    settings = config.settings.model_copy(update={"duplicates": "drop"})
    commit_ingested(lake, settings, "old.csv", "new.csv")
    commit_cleaned(lake, settings, "old.csv")
    assert bytes_to_read("clean", lake, settings) == 2000
    commit_cleaned(lake, settings, "old.csv", "new.csv", landing_version=2)
    assert bytes_to_read("clean", lake, settings) == 0


def test_a_long_job_gets_the_options_for_long_ones(
    lake: Lake, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert java_options("ingest", lake, config.settings, LONG) == {}
    monkeypatch.setattr(job_size, "LONG_JOB_BYTES", 1999)
    assert java_options("ingest", lake, config.settings, LONG) == {"SPARK_SUBMIT_OPTS": "-XX:+UseParallelGC"}
    assert java_options("ingest", lake, config.settings, {}) == {}
    assert java_options("rfm", lake, config.settings, LONG) == {}


def test_a_lake_without_a_landed_file_has_no_long_job(tmp_path: Path, config: RunConfig) -> None:
    assert bytes_to_read("ingest", Lake(tmp_path), config.settings) == 0
