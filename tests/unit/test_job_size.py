"""Which jobs are started as long ones."""

from pathlib import Path

import pytest

from include.lake.commit import NOTHING, Lake
from include.orchestration import job_size
from include.orchestration.job_size import bytes_to_read, java_options
from include.settings import RunConfig
from tests.tables import csv_bytes, land, line

LONG = {"RFM_LONG_JOB_OPTS": "-XX:+UseParallelGC"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two landed files of 1,000 bytes, one of them ingested, none cleaned."""
    lake = Lake(tmp_path / "lake")
    for name in ("new.csv", "old.csv"):
        land(lake.landing, name, csv_bytes(line()).ljust(1000, b"\n"))
    return lake


def view(lake: Lake, *names: str, **more: str) -> dict:
    files = {}
    for name in names:
        stat = (lake.landing / name).stat()
        files[name] = {"size": stat.st_size, "modified": stat.st_mtime_ns, "batch": "b"} | more
    return NOTHING | {"listing": 1, "files": files}


def test_ingest_reads_what_no_view_names_and_clean_what_was_not_cleaned(
    lake: Lake, config: RunConfig
) -> None:
    settings = config.settings
    ingested, cleaned = lake.ingested(settings.ingest_rules), lake.cleaned(settings.clean_rules)
    assert [bytes_to_read(task, lake, settings) for task in ("ingest", "clean", "rfm")] == [2000, 0, 0]
    ingested.mkdir(parents=True)
    lake.commit_view(ingested, view(lake, "old.csv"))
    assert [bytes_to_read(task, lake, settings) for task in ("ingest", "clean", "rfm")] == [1000, 1000, 0]
    cleaned.mkdir(parents=True)
    lake.commit_view(cleaned, view(lake, "old.csv", ingested_batch="b"))
    assert [bytes_to_read(task, lake, settings) for task in ("ingest", "clean", "rfm")] == [1000, 0, 50]
    assert bytes_to_read("segment", lake, settings) == bytes_to_read("publish", lake, settings) == 10
    land(lake.landing, "old.csv", csv_bytes(line()).ljust(900, b"\n"))
    assert bytes_to_read("ingest", lake, settings) == 1900


def test_clean_reads_all_files_where_repeats_are_dropped_and_any_is_new(
    lake: Lake, config: RunConfig
) -> None:
    settings = config.settings.model_copy(update={"duplicates": "drop"})
    ingested, cleaned = lake.ingested(settings.ingest_rules), lake.cleaned(settings.clean_rules)
    for stage in (ingested, cleaned):
        stage.mkdir(parents=True)
    lake.commit_view(ingested, view(lake, "old.csv", "new.csv"))
    lake.commit_view(cleaned, view(lake, "old.csv", ingested_batch="b"))
    assert bytes_to_read("clean", lake, settings) == 2000
    lake.commit_view(cleaned, view(lake, "old.csv", "new.csv", ingested_batch="b") | {"listing": 2})
    assert bytes_to_read("clean", lake, settings) == 0


def test_a_long_job_gets_the_options_for_long_ones(
    lake: Lake, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert java_options("ingest", lake, config.settings, LONG) == {}
    monkeypatch.setattr(job_size, "LONG_JOB_BYTES", 1999)
    assert java_options("ingest", lake, config.settings, LONG) == {"SPARK_SUBMIT_OPTS": "-XX:+UseParallelGC"}
    assert java_options("ingest", lake, config.settings, {}) == {}
    assert java_options("rfm", lake, config.settings, LONG) == {}


def test_a_lake_without_a_landed_file_is_no_long_job(tmp_path: Path, config: RunConfig) -> None:
    assert bytes_to_read("ingest", Lake(tmp_path), config.settings) == 0
