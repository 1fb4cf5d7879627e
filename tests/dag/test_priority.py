"""Slots are short: tonight's run beside a year's backfill."""

import json
import os
import subprocess
import sys

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from include.orchestration.priority import DailyRunFirst
from include.pipeline import PROJECT, TASKS

SLOTS = 2
Event = tuple[str, str, str]  # starts or ends, a run, a task


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What Airflow's scheduler starts on two slots, from the moment on at which the daily run is due."""
    home = tmp_path_factory.mktemp("tonight")
    variables = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": str(PROJECT),
    }
    command = [sys.executable, "-m", "tests.dag.tonight"]
    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = done.stdout.splitlines()[-1].removeprefix("events ")
    return [(what, run, task) for what, run, task in json.loads(found)]


def place(events: list[Event], what: str, task: str) -> int:
    """When a task of the daily run starts or ends."""
    return next(
        at
        for at, event in enumerate(events)
        if event[1].startswith("scheduled") and event[::2] == (what, task)
    )


def test_a_year_s_backfill_delays_the_daily_run_by_one_task_at_most(events: list[Event]) -> None:
    """Each task of it is ready when the one before has ended, and waits for the tasks that end until it
    starts."""
    ready = [-1, *(place(events, "ends", task) for task in TASKS[:-1])]
    starts = [place(events, "starts", task) for task in TASKS]
    waits = [
        sum(what == "ends" for what, _, _ in events[since + 1 : until])
        for since, until in zip(ready, starts, strict=True)
    ]
    assert sum(waits) <= 1, dict(zip(TASKS, waits, strict=True))


def test_the_backfill_goes_on_beside_the_daily_run(events: list[Event]) -> None:
    while_it_runs = events[place(events, "starts", "ingest") : place(events, "ends", "publish")]
    assert {"starts", "ends"} == {what for what, run, _ in while_it_runs if run.startswith("backfill")}


def test_runs_of_the_backfill_are_finished_before_others_begin(events: list[Event]) -> None:
    """Ten of them may be active; two have begun, one for each slot."""
    begun: set[str] = set()
    for what, run, task in events:
        if run.startswith("backfill"):
            begun.add(run)
            assert len(begun) <= SLOTS
            if (what, task) == ("ends", "publish"):
                begun.remove(run)


def test_one_conversion_runs_at_a_time(events: list[Event]) -> None:
    running: list[str] = []
    for what, _, task in events:
        if what == "starts":
            running.append(task)
        elif task in running:
            running.remove(task)
        assert running.count("ingest") <= 1
        assert running.count("clean") <= 1


def test_the_scheduler_reads_the_weights_that_the_dag_has(dag: DAG) -> None:
    read = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert {type(read.get_task(task).weight_rule) for task in TASKS} == {DailyRunFirst}
