"""Which task gets the next free slot: one of the daily run, before all that catches up with the past."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.task.priority_strategy import PriorityWeightStrategy
from airflow.utils.types import DagRunType

from include.pipeline import TASKS

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

DAILY = 100  # above the weight of every task of other runs
RECENT = timedelta(days=2)


class DailyRunFirst(PriorityWeightStrategy):
    """Tasks of the daily run and of runs triggered by hand, then all others. Among equal runs the later task:
    a run that has started is finished before the next one starts.

    Airflow's own rules know the task only, and its scheduler then takes the oldest date first: a year's
    backfill would go before tonight's run. Pools know the task only, too.
    """

    def get_weight(self, ti: "TaskInstance") -> int:
        place = TASKS.index(ti.task_id) + 1
        return place if catches_up(ti.run_id or "", datetime.now(UTC)) else DAILY + place


def catches_up(run_id: str, now: datetime) -> bool:
    """Whether a run is one of a backfill, or the cleared or reprocessed run of an earlier day.

    Airflow asks with the run's id only when it creates a task, and before it makes a run that is
    reprocessed part of the backfill.
    """
    run_type = DagRunType.from_run_id(run_id)
    if run_type is DagRunType.SCHEDULED:
        with suppress(ValueError, TypeError):  # an id that somebody chose
            return now - datetime.fromisoformat(run_id.partition("__")[2]) > RECENT
    return run_type is DagRunType.BACKFILL_JOB
