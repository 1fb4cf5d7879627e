"""The schedule: an hour or a cron expression, and the times that a clock skips."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from include.schedule import check_schedule, cron_of, gaps

DAY = date(2026, 1, 1)


def test_an_hour_is_that_hour_of_every_day() -> None:
    assert cron_of("04:05") == "5 4 * * *"


def test_a_cron_expression_is_kept() -> None:
    assert cron_of("0 4 * * 1-5") == "0 4 * * 1-5"


@pytest.mark.parametrize(
    "schedule", ["4 am", "24:00", "4:00", "", "0 25 * * *", "0 4 * *", "0 0 4 * * *", "0 4 31 2 *"]
)
@pytest.mark.parametrize("zone", ["Europe/London", "UTC"])
def test_a_text_that_is_no_schedule_is_refused(schedule: str, zone: str) -> None:
    with pytest.raises(ValueError, match="expected an hour like"):
        check_schedule(schedule, zone, DAY)


@pytest.mark.parametrize(
    ("zone", "skipped"),
    [
        ("Europe/Berlin", "on 2026-03-29, when the clock goes from 02:00 to 03:00"),
        ("America/New_York", "on 2026-03-08, when the clock goes from 02:00 to 03:00"),
        ("Europe/London", "on 2026-03-29, when the clock goes from 01:00 to 02:00"),
        ("Australia/Lord_Howe", "on 2026-10-04, when the clock goes from 02:00 to 02:30"),
    ],
)
def test_the_gaps_of_a_zone_are_found(zone: str, skipped: str) -> None:
    assert str(next(gaps(ZoneInfo(zone), DAY))) == skipped


def test_a_zone_without_summer_time_has_no_gap() -> None:
    assert list(gaps(ZoneInfo("Asia/Tokyo"), DAY)) == []


@pytest.mark.parametrize("schedule", ["02:00", "02:59", "30 2 * * *", "0 */2 * * *"])
def test_a_time_that_the_clock_skips_is_refused_with_the_way_out(schedule: str) -> None:
    with pytest.raises(ValueError, match="choose a time before 02:00 or from 03:00 on"):
        check_schedule(schedule, "Europe/Berlin", DAY)


@pytest.mark.parametrize("schedule", ["00:00", "01:59", "03:00", "04:00", "0 4 * * 1-5", "0 3 1 * *"])
def test_a_time_that_every_day_has_is_accepted(schedule: str) -> None:
    check_schedule(schedule, "Europe/Berlin", DAY)
