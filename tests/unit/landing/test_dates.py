"""Dates and times: the configured patterns, ISO 8601 with zones, and Excel's days."""

from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.landing.dates import date_times
from include.shop_formats import DateOrder


def at(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - wall-clock time


MORNING = at(2010, 12, 1, 8, 26)
READ = [
    ("2010-12-01 08:26:00", MORNING),
    ("12/1/2010 8:26", MORNING),
    ("12/01/2010 08:26", MORNING),
    ("2010-12-01T08:26", MORNING),
    ("2010-12-01T08:26Z", MORNING),
    ("2010-12-01T10:26:00+02:00", MORNING),
    ("2010-12-01 03:56 -0430", MORNING),
    ("2010-07-01T08:26Z", at(2010, 7, 1, 9, 26)),  # summer time in London
    ("2010-12-01T08:26:00,5", at(2010, 12, 1, 8, 26, 0, 500_000)),
    ("2010-12-01", at(2010, 12, 1)),
    ("40513.3513888", MORNING),
    ("40513", at(2010, 12, 1)),
    ("2012-02-29", at(2012, 2, 29)),
    ("2010/12/1 8:26", MORNING),
    ("2010.12.01 08:26", MORNING),
    ("20101201 08:26", MORNING),
    ("1 Dec 2010 8:26", MORNING),
    ("01-Dec-10 08:26", MORNING),
    ("Dec 1, 2010 8:26 AM", MORNING),
    ("1 December 2010, 8:26 a.m.", MORNING),
    ("12/1/10 8:26", MORNING),
    ("12-01-2010 08:26", MORNING),
    ("12.1.2010 8:26:00 AM", MORNING),
    ("12/1/2010 12:05 PM", at(2010, 12, 1, 12, 5)),
    ("12/1/2010 12:05 am", at(2010, 12, 1, 0, 5)),
    ("12/1/2010 0:05 AM", at(2010, 12, 1, 0, 5)),
    ("12/1/2010, 12:05:00\u202fPM", at(2010, 12, 1, 12, 5)),  # as browsers write it
    ("2010-12-01 08:26:00+00", MORNING),  # as PostgreSQL does
    ("12/1/97", at(1997, 12, 1)),
    ("2026-03-01 09:14:02 +0000", at(2026, 3, 1, 9, 14, 2)),
    ("2026-03-01 09:14:02 UTC", at(2026, 3, 1, 9, 14, 2)),
]
UNREADABLE = [
    *["2011-02-29", "2010-13-01", "13/1/2010 8:26", "2010-12-01 24:00:00", "2010-12-01 08:60:00"],
    *[
        "12/1-2010",
        "2010-12/01",
        "1 Foo 2010",
        "1 marraskuu 2010",
        "12/1/2010 13:05 PM",
        "12/1/210",
        "1/2/3/2010",
    ],
    *["2010-12-01 08:26:60", "2010-12-01T08:26+19:00", "2010-12-01T08:26+01:60", "0000-00-00", "soon", ""],
]
PATTERNS = [
    ("d MMM yyyy h:mm a", "1 dec 2010 8:26 AM", MORNING),
    ("MMMM d, yyyy h:mm a", "December 1, 2010 12:05 pm", at(2010, 12, 1, 12, 5)),
    ("h:mm a d/M/yy", "12:05 AM 1/12/10", at(2010, 12, 1, 0, 5)),
    ("yyyyMMdd'T'HHmm[ss]", "20101201T0826", MORNING),
    ("yyyyMMdd'T'HHmm[ss]", "20101201T082659", at(2010, 12, 1, 8, 26, 59)),
    ("dd.MM.yy", "01.12.10", at(2010, 12, 1)),
    ("dd.MM.yyyy", "1.12.2010", None),
    ("yyyy-MM-dd HH:mm:ss.SSS", "2010-12-01 08:26:00.25", at(2010, 12, 1, 8, 26, 0, 250_000)),
    ("yyyy-MM-dd HH:mm XXX", "2010-12-01 09:26 +01:00", MORNING),
    ("h:mm a d/M/yyyy", "13:05 AM 1/12/2010", None),
]


def read(text: str, *patterns: str, order: DateOrder | None = "month_first") -> object:
    return date_times(pl.Series([text]), order, patterns, "Europe/London")["time"].item()


@pytest.mark.parametrize(("text", "time"), READ)
def test_a_time_is_read_in_all_usual_spellings(text: str, time: datetime) -> None:
    assert read(text) == time


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_day_or_time_is_not_read(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(("pattern", "text", "time"), PATTERNS)
def test_a_pattern_is_one_of_java(pattern: str, text: str, time: datetime | None) -> None:
    assert read(text, pattern, order=None) == time


def test_times_keep_their_order_whichever_spelling_they_have() -> None:
    texts = ["12/1/2010 8:26", None, "2010-12-01", "soon", "2010-12-01 08:26:00"]
    found = date_times(pl.Series(texts), "month_first", [], "Europe/London")["time"].to_list()
    assert found == [MORNING, None, at(2010, 12, 1), None, MORNING]


EVIDENCE = [
    ("3/4/2024", "either_order"),
    ("03.04.24 10:15", "either_order"),
    ("27/04/2024", "day_first"),
    ("4-27-2024", "month_first"),
    ("5/5/2024", None),  # the same day either way
    ("2024-03-04", None),
    ("3 Apr 2024", None),
    ("13/13/2024", None),
    ("32/1/2024", None),
    ("0/1/2024", None),
    ("soon", None),
]


@pytest.mark.parametrize(("text", "word"), EVIDENCE)
@pytest.mark.parametrize("order", ["day_first", "month_first", None])
def test_a_number_above_12_is_evidence_whatever_order_is_in_force(
    text: str, word: str | None, order: DateOrder | None
) -> None:
    found = date_times(pl.Series([text]), order, [], "Europe/London")
    assert found["order"].item() == word


@settings(deadline=None)
@given(day=st.dates(date(2000, 1, 1), date(2068, 12, 31)), mark=st.sampled_from("/-."), short=st.booleans())
def test_a_day_is_read_in_the_order_in_force_or_not_at_all(day: date, mark: str, short: bool) -> None:
    year = f"{day.year % 100:02}" if short else str(day.year)
    written: dict[DateOrder, str] = {
        "day_first": mark.join([str(day.day), f"{day.month:02}", year]),
        "month_first": mark.join([f"{day.month:02}", str(day.day), year]),
    }
    other: dict[DateOrder, DateOrder] = {"day_first": "month_first", "month_first": "day_first"}
    for order, text in written.items():
        assert read(text, order=order) == at(day.year, day.month, day.day)
        if day.day > 12:
            assert read(text, order=other[order]) is None
        if day.day != day.month:
            assert read(text, order=None) is None
