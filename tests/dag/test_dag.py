"""The DAG as Airflow sees it, without a database."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from include.orchestration.spark_submit import spark_connection_id
from include.pipeline import CONFIG_VARIABLE, DAG_ID, LAKE_VARIABLE, PROJECT, TASKS
from tests.dag.conftest import SPARK_CONNECTION_VARIABLE

LONDON = ZoneInfo("Europe/London")


def test_the_dag_file_imports_in_under_a_second_and_without_a_database(tmp_path: Path) -> None:
    script = """
import time, airflow.sdk, airflow.providers.apache.spark.operators.spark_submit
from airflow.dag_processing.dagbag import DagBag
start = time.monotonic()
bag = DagBag("dags")
print("seconds", time.monotonic() - start, "errors", len(bag.import_errors), "dags", *bag.dags)
"""
    env = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for name in (LAKE_VARIABLE, SPARK_CONNECTION_VARIABLE, CONFIG_VARIABLE):
        env.pop(name, None)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=True)
    words = done.stdout.split("seconds")[-1].split()
    assert words[1:] == ["errors", "0", "dags", DAG_ID], done.stdout
    assert float(words[0]) < 1
    assert not (tmp_path / "airflow.db").exists()


def test_five_tasks_run_in_a_row(dag: DAG) -> None:
    names = ["ingest", "clean", "rfm", "segment", "publish"]
    assert sorted(dag.task_ids) == sorted(names)
    for name, after in zip(names, [*names[1:], None], strict=True):
        assert dag.get_task(name).downstream_task_ids == ({after} if after else set())


@pytest.mark.parametrize("task", TASKS)
def test_every_task_submits_its_script(dag: DAG, task: str) -> None:
    operator = dag.get_task(task)
    assert isinstance(operator, SparkSubmitOperator)
    assert spark_connection_id(operator) == "spark_default"
    assert Path(operator.application) == PROJECT / "spark_jobs" / f"{task}.py"
    assert Path(operator.application).is_file()


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_tried_again_and_ends_in_time(dag: DAG, task: str) -> None:
    operator = dag.get_task(task)
    assert operator.retries is not None
    assert operator.retries >= 1
    assert operator.execution_timeout is not None
    assert timedelta(0) < operator.execution_timeout <= timedelta(hours=12)
    assert operator.on_failure_callback


def test_the_delay_before_another_try_grows_to_ten_minutes(dag: DAG) -> None:
    """As the scheduler works it out; each clearing of a task adds a try."""
    task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("ingest")
    failed = datetime(2011, 12, 10, 2, tzinfo=UTC)
    fields = {"dag_id": dag.dag_id, "task_id": "ingest", "logical_date": None, "retry_delay_override": None}

    def minutes(tries: int) -> float:
        instance = SimpleNamespace(task=task, try_number=tries, end_date=failed, **fields)
        next_try = TaskInstance.next_retry_datetime(cast(TaskInstance, instance))  # type: ignore[no-untyped-call]
        return float((next_try - failed) / timedelta(minutes=1))

    assert 1 <= minutes(1) < 2 <= minutes(2) < 4 <= minutes(3) < 8
    assert minutes(4) <= minutes(20) == 10


def test_the_dag_runs_without_catching_up_and_says_what_it_is(dag: DAG) -> None:
    assert dag.catchup is False
    assert dag.tags
    assert dag.doc_md
    assert len(dag.doc_md) > 200
    for task in TASKS:
        assert f"`{task}`" in dag.doc_md


def test_no_run_waits_for_the_one_before(dag: DAG) -> None:
    """snapshot(D) depends on nothing but the landed files, so backwards backfills are allowed."""
    assert not any(operator.depends_on_past or operator.wait_for_downstream for operator in dag.tasks)


@pytest.mark.parametrize(
    "day", [date(2011, 3, 26), date(2011, 3, 27), date(2011, 10, 29), date(2011, 12, 9)], ids=str
)
def test_the_run_of_a_logical_date_covers_that_day(dag: DAG, day: date) -> None:
    """In Airflow's own words: from 04:00 of the day to 04:00 of the next, in the pipeline's zone."""
    timetable = DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable
    after = datetime(day.year, day.month, day.day, 12, tzinfo=LONDON) + timedelta(days=1)
    interval = timetable.infer_manual_data_interval(run_after=pendulum.instance(after))
    end = interval.end.astimezone(LONDON)
    assert (interval.start.astimezone(LONDON).date(), end.date()) == (day, day + timedelta(days=1))
    assert (end.hour, end.minute) == (4, 0)
