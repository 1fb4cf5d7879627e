"""The deadline of the day's snapshot, as Airflow's scheduler asks for it when it creates a run."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from airflow.sdk.definitions.deadline import BaseDeadlineReference

from include.pipeline import NO_DEADLINE_VARIABLE
from include.settings import Params, Segmentation, config_folder, load_config

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

SCHEDULED = "scheduled"


class PublishedBy(BaseDeadlineReference):
    """The first `published_by` after the day that a scheduled run covers.

    Other runs have none: their users watch them, and those of a backfill have passed long ago.
    """

    required_kwargs = frozenset({"dag_id", "run_id"})  # Airflow hands over these only

    def _evaluate_with(self, *, session: "Session", dag_id: str, run_id: str) -> datetime | None:
        # Task processes load this module with the plugin, and need none of these.
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        run = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).one()
        if run.run_type != SCHEDULED:
            return None
        start = run.data_interval_end or run.run_after
        return due(start, load_config(config_folder(), Params()).settings)


def has_deadline(settings: Segmentation, environment: Mapping[str, str]) -> bool:
    """Whether the runs of the DAG have a deadline. Not in `airflow dags test`, which ends such a run with an
    AttributeError after its success (apache/airflow 73428)."""
    return settings.published_by is not None and NO_DEADLINE_VARIABLE not in environment


def due(start: datetime, settings: Segmentation) -> datetime | None:
    """When the snapshot of a run that can start at `start` has to be there; None without `published_by`."""
    if settings.published_by is None:
        return None
    clock, zone = time.fromisoformat(settings.published_by), ZoneInfo(settings.time_zone)
    today = start.astimezone(zone).date()
    days = (datetime.combine(today + timedelta(days=n), clock, tzinfo=zone) for n in range(2))
    return next(found for found in days if found > start)
