"""When the daily run starts: an hour, or a cron expression, on the clock of the pipeline's time zone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

CLOCK_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
CRON_FIELDS = 5
CHECKED_DAYS = 2 * 366  # every clock change of a zone comes back within a year


@dataclass(frozen=True)
class Gap:
    """Times that the clock of a zone skips: it goes from `start` to `end`."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"on {self.start:%Y-%m-%d}, when the clock goes from {self.start:%H:%M} to {self.end:%H:%M}"


def cron_of(schedule: str) -> str:
    """The schedule as a cron expression."""
    if clock := CLOCK_TIME.fullmatch(schedule):
        return f"{int(clock[2])} {int(clock[1])} * * *"
    return schedule


def check_schedule(schedule: str, time_zone: str, today: date) -> None:
    """Raises ValueError for what is no schedule, and for one with a time that the clock of the zone skips:
    Airflow would lose the run of that day (apache/airflow 70089)."""
    for gap in gaps(ZoneInfo(time_zone), today):
        due = next_time(schedule, gap.start - timedelta(seconds=1))
        if due < gap.end:
            raise ValueError(
                f"there is no {due:%H:%M} in {time_zone} {gap}, and Airflow would lose the run of that day; "
                f"choose a time before {gap.start:%H:%M} or from {gap.end:%H:%M} on"
            )
    next_time(schedule, datetime.combine(today, time()))


def next_time(schedule: str, after: datetime) -> datetime:
    """The first time of a schedule after another one, both without a zone. Raises ValueError for what is no
    schedule."""
    if CLOCK_TIME.fullmatch(schedule):
        due = datetime.combine(after.date(), time.fromisoformat(schedule))
        return due if due > after else due + timedelta(days=1)
    # Here, because its import takes 0.1 s, and each job reads the configuration.
    from croniter import croniter

    try:
        cron = croniter(schedule, after)
        if len(cron.expanded) == CRON_FIELDS:
            following: datetime = cron.get_next(datetime)
            return following
    except ValueError:
        pass
    raise ValueError('expected an hour like "04:00", or a cron expression like "0 4 * * *"')


def gaps(zone: ZoneInfo, first: date) -> Iterator[Gap]:
    """The gaps in the clock of a zone, from a day on."""
    for day in range(CHECKED_DAYS):
        before = datetime.combine(first, time(), UTC) + timedelta(days=day)
        after = before + timedelta(days=1)
        if offset(before, zone) < offset(after, zone):
            change = moment_of_change(before, after, zone)
            yield Gap(*((change + offset(at, zone)).replace(tzinfo=None) for at in (before, after)))


def moment_of_change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """When the clock of a zone changes between two moments, by halving."""
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if offset(middle, zone) == offset(before, zone):
            before = middle
        else:
            after = middle
    return after


def offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
