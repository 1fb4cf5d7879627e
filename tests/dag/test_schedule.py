"""The daily run over the changes of the clock, as Airflow's own timetable plans it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pendulum
import pytest
import time_machine
from airflow._shared.timezones.timezone import parse_timezone
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

from include.schedule import cron_of
from tests.dag.conftest import parsed_dag

CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Europe/London": (date(2026, 3, 29), date(2026, 10, 25)),
}
ZONES_AND_CHANGES = [(zone, change) for zone, changes in CHANGES.items() for change in changes]
HOUR = timedelta(hours=1)
DEFAULT = cron_of("04:00")

# When the scheduler is down, in hours after the midnight before the change.
NEVER, OVER_THE_CHANGE, OVER_THE_RUN, MOST_OF_A_DAY = (0, 0), (0, 3), (2, 7), (2, 25)
OUTAGES = (NEVER, OVER_THE_CHANGE, OVER_THE_RUN, MOST_OF_A_DAY)


def hours(zone: str, change: date, outage: tuple[int, int]) -> Iterator[datetime]:
    """Each hour at which the scheduler is up, from two days before a change of the clock to three after."""
    midnight = datetime.combine(change, time(), ZoneInfo(zone)).astimezone(UTC)
    for hour in range(-48, 72):
        if not outage[0] <= hour < outage[1]:
            yield midnight + hour * HOUR


def scheduled_days(cron: str, zone: str, hours: list[datetime], *, catchup: bool) -> list[date]:
    """The as-of dates of the runs of a scheduler that asks the timetable at each of these hours."""
    timetable = CronDataIntervalTimetable(cron, parse_timezone(zone))
    restriction = TimeRestriction(pendulum.instance(hours[0]), None, catchup)
    last: DataInterval | None = None
    days: list[date] = []
    with time_machine.travel(hours[0], tick=False) as clock:
        for now in hours:
            clock.move_to(now)
            while (info := next_run(timetable, last, restriction)) and info.run_after <= now:
                last = info.data_interval
                days.append(info.run_after.astimezone(ZoneInfo(zone)).date())
    return days


def next_run(
    timetable: CronDataIntervalTimetable, last: DataInterval | None, restriction: TimeRestriction
) -> DagRunInfo | None:
    return timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)


@pytest.mark.parametrize("catchup", [False, True])
@pytest.mark.parametrize(("zone", "change"), ZONES_AND_CHANGES)
def test_every_day_around_a_change_of_the_clock_has_one_run(zone: str, change: date, catchup: bool) -> None:
    wanted = [change + timedelta(days=days) for days in (-1, 0, 1, 2)]
    for outage in OUTAGES:
        found = scheduled_days(DEFAULT, zone, list(hours(zone, change, outage)), catchup=catchup)
        assert found == wanted, outage


@pytest.mark.parametrize(("zone", "change"), ZONES_AND_CHANGES)
def test_a_manual_run_is_as_of_its_day_and_before_the_hour_of_the_schedule_of_the_day_before(
    zone: str, change: date
) -> None:
    timetable = CronDataIntervalTimetable(DEFAULT, parse_timezone(zone))
    for now in hours(zone, change, NEVER):
        interval = timetable.infer_manual_data_interval(run_after=pendulum.instance(now))
        here = now.astimezone(ZoneInfo(zone))
        wanted = here.date() - timedelta(days=here.hour < 4)
        assert interval.end.astimezone(ZoneInfo(zone)).date() == wanted, here


@pytest.mark.parametrize(("zone", "time"), [("Europe/Berlin", "02:00"), ("Europe/London", "01:00")])
def test_airflow_loses_the_run_of_a_time_that_the_clock_skips(zone: str, time: str) -> None:
    """Why settings refuse such a time (apache/airflow 70089). Where this fails, Airflow has put it right."""
    change = CHANGES[zone][0]
    found = scheduled_days(cron_of(time), zone, list(hours(zone, change, NEVER)), catchup=False)
    assert change not in found


def test_the_dag_has_the_configured_schedule(config_copy: Path) -> None:
    file = config_copy / "segmentation.yaml"
    file.write_text(file.read_text().replace('schedule: "04:00"', "schedule: 30 5 * * 1-5"))
    timetable = DagSerialization.from_dict(DagSerialization.to_dict(parsed_dag())).timetable
    assert timetable.serialize() == {"expression": "30 5 * * 1-5", "timezone": "Europe/London"}
