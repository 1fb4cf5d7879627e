"""Warnings about landed files, on entries made by hand."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import yaml

from include.lake.record import FileCounts, InputFile
from include.published.figures import Figures
from include.published.file_warnings import file_warnings

DAY = date(2011, 4, 23)


def landed(
    days_before: int = 0, with_plus: int | None = None, values: dict[str, list[str]] | None = None
) -> InputFile:
    day = DAY - timedelta(days=days_before)
    return InputFile(
        batch="b",
        size=1,
        modified=int(datetime.combine(day, time(3), UTC).timestamp()) * 10**9,
        rows=9,
        kept=9,
        rejects={},
        cancellations_with_plus=with_plus,
        values=values or {},
        clean=FileCounts(kept=9, rejects={}),
    )


def find(
    files: Mapping[str, InputFile],
    before: Mapping[str, InputFile] | None = None,
    gone: Mapping[str, int] | None = None,
) -> list[str]:
    earlier = None if before is None else Figures(DAY - timedelta(days=1), {}, {}, before)
    return file_warnings(Figures(DAY, {}, {}, files), earlier, gone or {}, ZoneInfo("Europe/London"))


def test_files_without_a_doubt_have_no_warning() -> None:
    assert find({"a.csv": landed(with_plus=0, values={"Currency": ["GBP"]})}) == []


# -- what lines leave open ----------------------------------------------------------------------


def test_cancellations_with_a_plus_are_counted() -> None:
    files = {"a.csv": landed(with_plus=2), "b.csv": landed(with_plus=0), "c.csv": landed(with_plus=1)}
    assert find(files) == [
        "3 lines of cancellations are written with a plus, in a.csv, c.csv; they are subtracted all the same"
    ]
    assert find({"a.csv": landed(with_plus=1)}) == [
        "1 line of a cancellation is written with a plus, in a.csv; they are subtracted all the same"
    ]


def test_a_column_with_several_values_is_named_with_what_to_paste() -> None:
    files = {
        "a.csv": landed(values={"Status": ["paid"], "Shop": ["1"]}),
        "b.csv": landed(values={"status": ["voided", "PAID"]}),
    }
    [warning] = find(files)
    assert warning == (
        "column Status has several values, paid, voided, and the lines of all count; where only some should, "
        'leave these in `only: {column: "Status", values: ["paid", "voided"]}` in the file\'s format'
    )
    assert yaml.safe_load(warning.split("`")[1]) == {
        "only": {"column": "Status", "values": ["paid", "voided"]}
    }


def test_a_small_file_without_a_header_is_named() -> None:
    other = InputFile(
        **landed().model_dump(exclude={"kept", "rejects", "clean"}),
        kept=0,
        rejects={"no_header": 9},
        clean=FileCounts(kept=0, rejects={}),
    )
    assert find({"a.csv": landed(), "stock.csv": other}) == [
        "no line of stock.csv is the header of orders: 9 lines are rejected; if they are orders, add the "
        "names of their columns to a format"
    ]


def test_of_many_values_some_are_said() -> None:
    [warning] = find({"a.csv": landed(values={"Store": list("abcdefg")})})
    assert warning.startswith("column Store has several values, a, b, c, d, e and 2 more, and")


# -- files gone ---------------------------------------------------------------------------------


def test_files_that_are_gone_are_counted_with_their_lines() -> None:
    files = {"z.csv": landed()}
    assert find(files, gone={"a.csv": 12}) == [
        "1 file is gone since the run before, with 12 kept lines: a.csv"
    ]
    gone = dict.fromkeys(["a.csv", "b.csv", "c.csv", "d.csv"], 1000)
    assert find(files, gone=gone) == [
        "4 files are gone since the run before, with 4,000 kept lines: a.csv, b.csv, c.csv and 1 more"
    ]


# -- nothing new --------------------------------------------------------------------------------


def test_a_day_without_a_new_file_is_said() -> None:
    files = {"a.csv": landed(2), "b.csv": landed(9)}
    assert find(files, files) == [
        "no landed file is new since the snapshot of 2011-04-22; the newest was landed on 2011-04-21"
    ]


@pytest.mark.parametrize(
    ("files", "before"),
    [
        ({"a.csv": landed(2)}, None),
        ({"a.csv": landed(2), "b.csv": landed(2)}, {"a.csv": landed(2)}),
        ({"a.csv": landed(2)}, {"a.csv": landed(3)}),
        ({"a.csv": landed(1)}, {"a.csv": landed(1)}),
        ({"a.csv": landed(-30)}, {"a.csv": landed(-30)}),
        *[({f"{n}.csv": landed(n * 7) for n in range(1, 8)},) * 2],
    ],
    ids=["no snapshot before", "a new file", "a changed file", "landed yesterday", "a past date", "weekly"],
)
def test_nothing_is_said_where(files: dict[str, InputFile], before: dict[str, InputFile] | None) -> None:
    assert find(files, before) == []
