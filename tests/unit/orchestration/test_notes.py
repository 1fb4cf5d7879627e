"""The note of a run: its outcome in one line."""

import pytest
from pydantic import JsonValue

from include.orchestration.notes import outcome


def numbers(rows_in: int, rows_out: int, **more: JsonValue) -> dict[str, JsonValue]:
    """The XCom of a task."""
    return {
        "as_of": "2011-12-10",
        "variant": None,
        "rows_in": rows_in,
        "rows_out": rows_out,
        "rejects": {},
        "seconds": 1.0,
        "started": "2011-12-10T04:00:00+00:00",
        "dag_run": "a run",
        "application_id": None,
        **more,
    }


ALL = {
    "ingest": numbers(541_909, 541_900, files_landed=305, files_converted=2, files_not_counted={}),
    "clean": numbers(541_900, 406_789),
    "rfm": numbers(406_789, 406_789),
    "segment": numbers(4_338, 4_338),
    "publish": numbers(4_338, 4_338),
}


def test_a_run_that_ended_well_names_customers_lines_and_new_files() -> None:
    assert outcome(ALL, []) == ": 4,338 customers, 406,789 of 541,909 lines kept, 2 new files"


@pytest.mark.parametrize(
    ("change", "end"),
    [
        ({"files_converted": 0}, "nothing new"),
        ({"files_not_counted": {"a.csv": "is a copy"}}, "2 new files, 1 files not counted"),
        ({"files_gone": {"a.csv": 7}}, "2 new files, 1 files gone"),
    ],
    ids=["nothing new", "a file that does not count", "a file that is gone"],
)
def test_what_is_special_about_the_files_comes_last(change: dict[str, JsonValue], end: str) -> None:
    assert outcome(ALL | {"ingest": ALL["ingest"] | change}, []).endswith(f"kept, {end}")


@pytest.mark.parametrize(
    ("warnings", "end"),
    [
        (["no sales on Friday"], ", 1 warning: no sales on Friday"),
        (["no sales on Friday", "no new file"], ", 2 warnings, the first: no sales on Friday"),
        ([100 * "character "], f", 1 warning: {39 * 'character '}..."),
    ],
    ids=["one", "two", "a long one"],
)
def test_warnings_are_counted_and_the_first_is_in_the_note(warnings: list[JsonValue], end: str) -> None:
    warned = ALL["publish"] | {"warnings": warnings}
    assert outcome(ALL | {"publish": warned}, []).endswith(f"2 new files{end}")


def test_a_variant_is_named() -> None:
    of_variant = {task: found | {"variant": "segment_map=rf10"} for task, found in ALL.items()}
    assert outcome(of_variant, []).startswith(" (segment_map=rf10): 4,338 customers")


def test_a_failed_run_names_the_task_and_where_the_reason_is() -> None:
    done = {"ingest": ALL["ingest"]}
    assert outcome(done, ["clean"]) == (
        ": 2 new files, failed at clean: the last line of its log has the reason"
    )


def test_a_run_in_which_no_task_ended_well_has_a_note_too() -> None:
    assert outcome({}, ["ingest"]) == ": failed at ingest: the last line of its log has the reason"
