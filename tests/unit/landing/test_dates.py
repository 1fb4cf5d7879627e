"""Dates and times: the configured patterns, ISO 8601 with zones, and Excel's days."""

from datetime import datetime

import polars as pl
import pytest

from include.landing.dates import date_times


def at(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - wall-clock time


MORNING = at(2010, 12, 1, 8, 26)
FORMATS = ["yyyy-MM-dd HH:mm:ss", "M/d/yyyy H:mm", "yyyy-MM-dd", "iso", "excel"]

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
]
UNREADABLE = [
    *["2011-02-29", "2010-13-01", "13/1/2010 8:26", "2010-12-01 24:00:00", "2010-12-01 08:60:00"],
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


def read(text: str, *formats: str) -> object:
    return date_times(pl.Series([text]), formats, "Europe/London").item()


@pytest.mark.parametrize(("text", "time"), READ)
def test_a_time_is_read_by_the_first_format_that_fits(text: str, time: datetime) -> None:
    assert read(text, *FORMATS) == time


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_day_or_time_is_not_read(text: str) -> None:
    assert read(text, *FORMATS) is None


@pytest.mark.parametrize(("pattern", "text", "time"), PATTERNS)
def test_a_pattern_is_one_of_java(pattern: str, text: str, time: datetime | None) -> None:
    assert read(text, pattern) == time


def test_times_keep_their_order_whichever_format_reads_them() -> None:
    texts = ["12/1/2010 8:26", None, "2010-12-01", "soon", "2010-12-01 08:26:00"]
    found = date_times(pl.Series(texts), FORMATS, "Europe/London").to_list()
    assert found == [MORNING, None, at(2010, 12, 1), None, MORNING]
