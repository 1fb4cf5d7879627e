"""The as-of date of a run."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from include.as_of import as_of, as_of_date
from include.errors import ConfigError


@dataclass
class Run:
    """What the date depends on."""

    data_interval_end: datetime | None
    run_after: datetime


@pytest.mark.parametrize("text", ["2011-13-01", "10.12.2011", "today", "", "1899-12-31", "2999-01-01"])
def test_a_text_that_is_no_date_of_a_shop_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="as_of"):
        as_of_date(text)


def test_a_date_is_read_as_iso_writes_it() -> None:
    assert as_of_date("2011-12-10") == date(2011, 12, 10)


def test_tomorrow_is_no_future_date_since_it_has_begun_in_some_zone() -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert as_of_date(tomorrow.isoformat()) == tomorrow


def test_a_scheduled_run_counts_to_the_end_of_its_interval_in_the_pipeline_s_time_zone() -> None:
    """23:30 in Greenwich is half past midnight in London's summer."""
    end = datetime(2011, 6, 30, 23, 30, tzinfo=UTC)
    assert as_of(Run(end, end + timedelta(days=9)), {}) == "2011-07-01"


def test_a_manual_run_without_an_interval_counts_to_the_day_it_starts() -> None:
    assert as_of(Run(None, datetime(2011, 12, 10, 9, tzinfo=UTC)), {"as_of": None}) == "2011-12-10"


def test_the_param_of_a_run_goes_before_its_interval() -> None:
    end = datetime(2011, 12, 10, tzinfo=UTC)
    assert as_of(Run(end, end), {"as_of": "2011-01-01"}) == "2011-01-01"
