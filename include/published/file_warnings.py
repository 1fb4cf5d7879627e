"""Warnings about the landed files of a snapshot: what their lines leave open, and files that did not come.

Each rule is a pure function, and returns sentences with the numbers.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from include.lake.record import InputFile
from include.published.alerts import delivery_days, is_new, knows_usual_gaps
from include.published.checks import is_currency, is_other_table, shortened
from include.published.figures import Figures
from include.published.refusals import only_line

VALUES_SHOWN = 5


def file_warnings(
    now: Figures, earlier: Figures | None, gone: Mapping[str, int], time_zone: ZoneInfo
) -> list[str]:
    """`gone` has the files of the run before that are not there any more, with their kept lines."""
    return [
        *other_tables(now.files),
        *several_values(now.files),
        *cancellations_with_plus(now.files),
        *files_gone(gone),
        *nothing_new(now, earlier, time_zone),
    ]


def other_tables(files: Mapping[str, InputFile]) -> list[str]:
    """Small files without the header of orders: lists of something else, or exports with other columns."""
    found = {name: file.rows for name, file in sorted(files.items()) if is_other_table(file)}
    if not found:
        return []
    lines = sum(found.values())
    return [
        f"no line of {shortened(found)} is the header of orders: {lines:,} lines are rejected; if they are "
        "orders, add the names of their columns to a format"
    ]


def several_values(files: Mapping[str, InputFile]) -> list[str]:
    """A column that changes what a line means has more than one value. Currencies are refused instead."""
    found = defaultdict[str, dict[str, str]](dict)  # by column and value without case: as it is written
    names = dict[str, str]()
    for file in files.values():
        for column, values in (file.values or {}).items():
            if is_currency(column):
                continue
            names.setdefault(column.lower(), column)
            for value in values:
                found[column.lower()].setdefault(value.lower(), value)
    return [
        several_values_of(names[column], sorted(values.values()))
        for column, values in sorted(found.items())
        if len(values) > 1
    ]


def several_values_of(column: str, values: Sequence[str]) -> str:
    more = f" and {len(values) - VALUES_SHOWN} more" if len(values) > VALUES_SHOWN else ""
    return (
        f"column {column} has several values, {', '.join(values[:VALUES_SHOWN])}{more}, and the lines of all "
        f"count; where only some should, leave these in {only_line(column, values[:VALUES_SHOWN])}"
    )


def files_gone(gone: Mapping[str, int]) -> list[str]:
    """Files that counted before were deleted, or renamed."""
    if not gone:
        return []
    files = "1 file is" if len(gone) == 1 else f"{len(gone):,} files are"
    return [f"{files} gone since the run before, with {sum(gone.values()):,} kept lines: {shortened(gone)}"]


def cancellations_with_plus(files: Mapping[str, InputFile]) -> list[str]:
    """Lines that take back, written as if they sold."""
    found = {name: file.cancellations_with_plus or 0 for name, file in sorted(files.items())}
    lines = sum(found.values())
    if not lines:
        return []
    names = shortened([name for name, count in found.items() if count])
    number = "1 line of a cancellation is" if lines == 1 else f"{lines:,} lines of cancellations are"
    return [f"{number} written with a plus, in {names}; they are subtracted all the same"]


def nothing_new(now: Figures, earlier: Figures | None, time_zone: ZoneInfo) -> list[str]:
    """No file is new since the snapshot before, and none was landed on the last days before the as-of date.

    Silent where alerts.missing_files knows better what is usual, and for dates of the past: files that were
    landed later show that deliveries went on.
    """
    if earlier is None or any(is_new(name, file, earlier.files) for name, file in now.files.items()):
        return []
    deliveries = delivery_days(now.files, time_zone)
    if not deliveries or knows_usual_gaps(deliveries) or (now.as_of - deliveries[-1]).days <= 1:
        return []
    return [
        f"no landed file is new since the snapshot of {earlier.as_of}; the newest was landed on "
        f"{deliveries[-1]}"
    ]
