"""The as-of date: the day before which a snapshot counts what was bought."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from include.errors import ConfigError
from include.settings import config_folder, load_config, load_params

EARLIEST_YEAR = 1900


class DagRun(Protocol):
    """What the date depends on, as Airflow's runs have it."""

    data_interval_end: datetime | None
    run_after: datetime


def as_of(dag_run: DagRun, params: Mapping[str, object]) -> str:
    """The run's as-of date: its `as_of` param, or the day on which its data interval ends in the
    pipeline's time zone (for a manual run without an interval, the day on which it starts)."""
    if params.get("as_of"):
        return str(params["as_of"])
    end = dag_run.data_interval_end or dag_run.run_after
    settings = load_config(config_folder(), load_params("{}")).settings
    return end.astimezone(ZoneInfo(settings.time_zone)).date().isoformat()


def as_of_date(text: str) -> date:
    """The date that YYYY-MM-DD means. Raises ConfigError for any other text and for future dates."""
    try:
        as_of = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a calendar date
    except ValueError:
        raise ConfigError(f"as_of: {text!r} is not a date; write it as 2011-12-10") from None
    if as_of.year < EARLIEST_YEAR:
        raise ConfigError(f"as_of: {as_of} is before {EARLIEST_YEAR}")
    if as_of > date.today() + timedelta(days=2):  # noqa: DTZ011 - wide enough for every zone
        raise ConfigError(f"as_of: {as_of} is in the future; nothing was sold on the days before it yet")
    return as_of
