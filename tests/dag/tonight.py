"""Tonight's run beside a year's backfill, as Airflow's own scheduler decides.

`python -m tests.dag.tonight` prints, as JSON, each start and end of a task from the moment on at which the
daily run is due. No job is submitted: the executor notes what it is given, and of the tasks that are running
the oldest ends next.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.callbacks.database_callback_sink import DatabaseCallbackSink
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import DagModel
from airflow.models.backfill import ReprocessBehavior, _create_backfill
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import update

from include.pipeline import DAG_ID, PROJECT

SLOTS, RUNS_AT_ONCE, DAYS = 2, 10, 365
ENDED_BEFORE, ENDED_AFTER = 23, 40  # tasks, before and after the daily run is due

Event = tuple[str, str, str]


class Slots(BaseExecutor):
    """An executor whose tasks run until they are ended."""

    def __init__(self) -> None:
        super().__init__(parallelism=SLOTS)
        self.callback_sink = DatabaseCallbackSink()
        self.held: list[TaskInstanceKey] = []
        self.events: list[Event] = []

    def _process_workloads(self, workload_items: Sequence[Any]) -> None:
        for workload in workload_items:
            key = workload.ti.key
            del self.queued_tasks[key]
            self.running.add(key)
            self.held.append(key)
            self.note("starts", key)

    def end_oldest(self) -> None:
        key = self.held.pop(0)
        set_state(key, TaskInstanceState.SUCCESS)
        self.note("ends", key)
        self.success(key)

    def note(self, what: str, key: TaskInstanceKey) -> None:
        if what == "starts":
            set_state(key, TaskInstanceState.RUNNING)
        self.events.append((what, key.run_id, key.task_id))


def set_state(key: TaskInstanceKey, state: TaskInstanceState) -> None:
    with create_session() as session:
        session.execute(
            update(TaskInstance)
            .where(TaskInstance.run_id == key.run_id, TaskInstance.task_id == key.task_id)
            .values(state=state, start_date=datetime.now(UTC), end_date=datetime.now(UTC))
        )


def loop(scheduler: SchedulerJobRunner, slots: Slots) -> None:
    """One turn of the scheduler's loop."""
    with create_session() as session:
        scheduler._do_scheduling(session)
        session.expunge_all()
    slots.heartbeat()
    with create_session() as session:
        scheduler._process_executor_events(executor=slots, session=session)


def start_backfill() -> None:
    now = datetime.now(UTC)
    _create_backfill(
        dag_id=DAG_ID,
        from_date=now - timedelta(days=DAYS + 2),
        to_date=now - timedelta(days=2),
        max_active_runs=RUNS_AT_ONCE,
        reverse=False,
        dag_run_conf=None,
        triggering_user_name=None,
        reprocess_behavior=ReprocessBehavior.NONE,
    )


def prepare() -> None:
    initdb()
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(DagBag(PROJECT / "dags", bundle_path=PROJECT / "dags"), "dags-folder", None)
    with create_session() as session:
        session.execute(update(DagModel).values(is_paused=False))
    start_backfill()


def run_beside_the_backfill() -> list[Event]:
    slots = Slots()
    scheduler = SchedulerJobRunner(Job(), executors=[slots])  # type: ignore[no-untyped-call]
    with create_session() as session:
        session.add(scheduler.job)
    scheduler._scheduler_use_job_schedule = False  # the daily run is not due yet
    for _ in range(ENDED_BEFORE):
        loop(scheduler, slots)
        slots.end_oldest()
    loop(scheduler, slots)
    slots.events.clear()
    scheduler._scheduler_use_job_schedule = True
    for _ in range(ENDED_AFTER):
        loop(scheduler, slots)
        slots.end_oldest()
    return slots.events


if __name__ == "__main__":
    prepare()
    print("events", json.dumps(run_beside_the_backfill()))
