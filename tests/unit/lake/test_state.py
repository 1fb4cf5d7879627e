"""State files: read as they were written before there were format numbers, and never guessed."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from include.errors import InputError
from include.lake.manifest import CleanedManifest, IngestedManifest
from include.lake.record import RunRecord, VersionRecord
from include.lake.state import (
    Execution,
    StageRecord,
    StateFile,
    UnreadableError,
    read_state,
    reconcile,
    state_text,
)

Json = dict[str, Any]

# State files as the code before the format numbers wrote them, key by key. A change of these names would
# make every lake read its landing files again, so they are written out here.
EXECUTION: Json = {
    "seconds": 21.4,
    "started": "2026-11-25T02:00:07+00:00",
    "dag_run": "scheduled__2026-11-24",
    "application_id": "local-1795780668451",
}
INGEST: Json = {
    "rows_in": 4,
    "rows_out": 3,
    "rejects": {"quantity_unreadable": 1},
    **EXECUTION,
    "files_landed": 2,
    "files_converted": 1,
    "files_not_counted": {"b.csv": "is still being written"},
}
CLEAN: Json = {
    "rows_in": 3,
    "rows_out": 2,
    "rejects": {"missing_customer": 1},
    **EXECUTION,
    "files_cleaned": 1,
}
RFM: Json = {
    "rows_in": 2,
    "rows_out": 2,
    "rejects": {"on_or_after_as_of": 0, "before_lookback": 0, "customer_without_purchase": 0},
    **EXECUTION,
    "customers": {"2011-12-10": 2, "2011-11-10": 0},
}
SEGMENT: Json = {"rows_in": 2, "rows_out": 2, "rejects": {}, **EXECUTION}
INGESTED_FILE: Json = {
    "size": 361,
    "modified": 1_000_000_000_000_000_000,
    "batch": "f12cad427048",
    "rows": 4,
    "kept": 3,
    "rejects": {"quantity_unreadable": 1},
}
INGESTED: Json = {
    "listing": 14,
    "files": {"a.csv": INGESTED_FILE, "c.csv": INGESTED_FILE | {"sha256": "9f86d081884c"}},
    "sizes": {"f12cad427048": 2},
    "stages": {"ingest": INGEST},
}
CLEANED: Json = {
    "listing": 14,
    "files": {
        "a.csv": {
            "batch": "6ff0866d41a7",
            "ingested_batch": "f12cad427048",
            "kept": 2,
            "rejects": {"missing_customer": 1},
            "countries": ["United Kingdom"],
            "large": False,
        }
    },
    "sizes": {"6ff0866d41a7": 1},
    "orders": {"files": {"a.csv": {"batch": "6ca39b3f8953"}}, "sizes": {"6ca39b3f8953": 1}},
    "stages": {"ingest": INGEST, "clean": CLEAN},
    "ingested": {"files": {"a.csv": INGESTED_FILE}, "sizes": {"f12cad427048": 2}},
}
VERSION: Json = {
    "listing": 14,
    "attempt": 16,
    "rules": "324783c98bf2",
    "view": CLEANED,
    "stages": {"ingest": INGEST, "clean": CLEAN, "rfm": RFM},
}
RUN: Json = {
    "as_of": "2011-12-10",
    "variant": None,
    "dag_run": "scheduled__2026-11-24",
    "published_at": "2026-11-25T02:05:00+00:00",
    "listing": 14,
    "attempt": 18,
    "config_hash": "692253097a5d",
    "config": {
        "settings": {"time_zone": "Europe/London", "lookback_days": None, "reject_threshold": 0.5},
        "segment_map": {"segments": [{"name": "All", "description": "Everybody", "codes": ["..."]}]},
        "overrides": {},
    },
    "stages": {"ingest": INGEST, "clean": CLEAN, "rfm": RFM, "segment": SEGMENT, "publish": SEGMENT},
    "input_files": {"a.csv": INGESTED_FILE | {"clean": {"kept": 2, "rejects": {"missing_customer": 1}}}},
}
BEFORE = [
    pytest.param(IngestedManifest, INGESTED, id="view.json of ingest"),
    pytest.param(CleanedManifest, CLEANED, id="view.json of clean"),
    pytest.param(VersionRecord, VERSION, id="run.json of rfm"),
    pytest.param(RunRecord, RUN, id="run.json of publish"),
]


def with_format(state: Json) -> Json:
    """The same with the number of today's format, as well in the manifest inside of a version's record."""
    inside = {"view": with_format(state["view"])} if "view" in state else {}
    return state | inside | {"format": 1}


@pytest.mark.parametrize(("model", "before"), BEFORE)
def test_a_file_without_a_format_number_is_read_and_written_with_the_same_keys(
    tmp_path: Path, model: type[StateFile], before: Json
) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps(before))
    assert json.loads(state_text(read_state(file, model))) == with_format(before)


@pytest.mark.parametrize(("model", "before"), BEFORE)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_state_is_read_as_it_was_written(
    tmp_path: Path, model: type[StateFile], before: Json, indent: int | None
) -> None:
    state, file = model.model_validate(before), tmp_path / "state.json"
    file.write_text(state_text(state, indent))
    assert read_state(file, model) == state


@pytest.mark.parametrize(("model", "before"), BEFORE)
@pytest.mark.parametrize("later", [2, 99])
def test_a_later_format_is_refused_with_its_number_and_the_file(
    tmp_path: Path, model: type[StateFile], before: Json, later: int
) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"new": {}} | before | {"format": later, "listing": "another type"}))
    with pytest.raises(UnreadableError) as refused:
        read_state(file, model)
    assert str(refused.value) == f"{file} has format {later}, which this code does not know"


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[]", b"null", b"{}{}", b'{"listing": []}'])
@pytest.mark.parametrize("model", [IngestedManifest, CleanedManifest, VersionRecord, RunRecord])
def test_garbage_is_refused_with_the_file(tmp_path: Path, model: type[StateFile], text: bytes) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(text)
    with pytest.raises(UnreadableError) as refused:
        read_state(file, model)
    assert str(refused.value).startswith(f"{file} cannot be read (")


@pytest.mark.parametrize(("model", "before"), BEFORE)
def test_a_key_that_the_model_does_not_know_is_refused_by_its_name(
    tmp_path: Path, model: type[StateFile], before: Json
) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps(before | {"surprise": 1}))
    with pytest.raises(UnreadableError, match=r"state\.json cannot be read \(surprise: "):
        read_state(file, model)


def test_a_missing_file_is_not_an_unreadable_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_state(tmp_path / "state.json", IngestedManifest)


def test_a_state_never_changes() -> None:
    manifest = IngestedManifest.model_validate(INGESTED)
    with pytest.raises(ValidationError, match="frozen"):
        manifest.landing_version = 15  # type: ignore[misc]


# -- records of tasks ---------------------------------------------------------------------------


def test_the_record_of_a_task_has_its_counts_and_who_executed_it() -> None:
    execution = Execution("clean", "a run", "app-1")
    record = execution.record(5, 3, {"missing_customer": 2}, files_cleaned=1)
    assert (record.rows_in, record.rows_out, record.rejects) == (5, 3, {"missing_customer": 2})
    assert (record.dag_run, record.application_id, record.files_cleaned) == ("a run", "app-1", 1)
    assert record.started == execution.started.isoformat(timespec="seconds")
    assert 0 <= record.seconds < 60


def test_counts_that_do_not_add_up_make_no_record() -> None:
    message = r"all files: 5 rows in, but 3 rows out and rejects \{'missing_customer': 1\}: not equal"
    with pytest.raises(InputError, match=message):
        Execution("clean", "a run").record(5, 3, {"missing_customer": 1})
    reconcile("clean", 5, 3, {"missing_customer": 1, "price_not_positive": 1})


def test_a_record_is_shown_as_a_table_of_counts_with_the_warnings_below() -> None:
    counts = {"rows_in": 541_909, "rows_out": 541_908, "files_not_counted": {"b.csv": "is a copy"}}
    record = StageRecord.model_validate(INGEST | counts | {"warnings": ["nothing new for 9 days"]})
    assert record.lines() == [
        "rows in                                         541,909",
        "rejected: quantity_unreadable                         1",
        "rows out                                        541,908",
        "landed files                                          2",
        "new or changed files                                  1",
        "files not counted                                     1",
        "seconds                                            21.4",
        "warning: nothing new for 9 days",
    ]
