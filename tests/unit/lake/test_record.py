"""Records: what made a version, and which version counts."""

import json

import pytest

from include.errors import OutdatedError
from include.lake.manifest import BatchedFiles, CleanedManifest
from include.lake.paths import Lake
from include.lake.record import (
    NO_ORDER,
    FileCounts,
    VersionRecord,
    input_files,
    read_commit_order,
    read_run_record,
    read_version,
)
from include.lake.state import StageRecord, state_text
from tests.unit.lake.results import DAY, cleaned_file, ingested_file, publish_text

CLEANED = CleanedManifest(
    files={"a.csv": cleaned_file("c", missing_customer=1).model_copy(update={"kept": 2})},
    ingested=BatchedFiles(files={"a.csv": ingested_file("i")}),
)
STAGE = StageRecord(
    rows_in=1, rows_out=1, rejects={}, seconds=0.1, started="", dag_run="", application_id=None
)


def made_by() -> VersionRecord:
    return VersionRecord(
        landing_version=3, attempt=4, stages={"rfm": STAGE}, fingerprint="f", cleaned=CLEANED
    )


def test_a_task_before_its_time_says_what_is_missing_and_what_to_clear(lake: Lake) -> None:
    with pytest.raises(
        OutdatedError, match="as_of=2011-12-10 is not there yet; clear the run from"
    ) as refused:
        read_version(lake.rfm(DAY))
    assert refused.value.clear_from == "ingest"


def test_a_version_is_read_with_what_made_it(lake: Lake) -> None:
    version = lake.rfm(DAY)
    version.mkdir(parents=True)
    (version / "run.json").write_text(state_text(made_by()))
    assert read_version(version) == (version, made_by())


@pytest.mark.parametrize("text", ["{", '{"format": 2}', "{}"])
def test_a_record_that_cannot_be_used_is_refused_by_its_file(lake: Lake, text: str) -> None:
    folder = lake.published(DAY)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(text)
    with pytest.raises(OutdatedError, match=r"as_of=2011-12-10/run\.json .*; clear the run from `ingest`"):
        read_run_record(folder)


def test_the_next_task_continues_the_record_under_its_own_attempt() -> None:
    after = made_by().after("segment", 5, STAGE)
    assert list(after.stages) == ["rfm", "segment"]
    assert after.commit_order == (3, 5)
    assert after.cleaned == CLEANED


def test_the_record_of_a_snapshot_has_both_stages_of_each_landed_file() -> None:
    file = input_files(CLEANED)["a.csv"]
    assert (file.rows, file.kept, file.rejects) == (3, 3, {})
    assert file.clean == FileCounts(kept=2, rejects={"missing_customer": 1})


def test_rejects_of_both_stages_add_up() -> None:
    file = input_files(CLEANED)["a.csv"].model_copy(
        update={"rejects": {"zero_byte": 2, "missing_customer": 1}}
    )
    assert file.all_rejects == {"zero_byte": 2, "missing_customer": 2}


@pytest.mark.parametrize(
    ("record", "order"),
    [
        ({"listing": 3, "attempt": 4}, (3, 4)),
        ({"listing": 3, "attempt": 4, "format": 2}, (3, 4)),
        ({"listing": 3}, (3, 0)),
        ({"attempt": 4}, NO_ORDER),
        ([], NO_ORDER),
    ],
    ids=str,
)
def test_the_commit_order_is_read_from_a_record_of_any_format(
    lake: Lake, record: object, order: tuple[int, int]
) -> None:
    publish_text(lake, "one", landing_version=1)
    (lake.published(DAY) / "run.json").write_text(json.dumps(record))
    assert read_commit_order(lake.published(DAY)) == order


def test_a_folder_without_a_record_is_older_than_every_version(lake: Lake) -> None:
    assert read_commit_order(lake.landing) == NO_ORDER < (0, 0)
