"""The whole DAG through a real scheduler: how long a run takes, and how much Airflow adds to the jobs."""

import os
import shutil
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from include.pipeline import DAG_ID, TASKS
from tests.e2e.conftest import Airflow


def dag_runs(home: Path, files: list[Path], as_of: date) -> dict[str, dict[str, Any]]:
    """A run that loads all files but the last, then one that finds one new file."""
    shutil.rmtree(home, ignore_errors=True)
    airflow = Airflow(home, connections={})
    try:
        airflow.prepare()
        landing = airflow.lake.landing
        landing.mkdir(parents=True)
        for file in files[:-1]:
            os.link(file, landing / file.name)
        airflow.start_all()
        airflow.unpause()
        runs = {"full load": finished(airflow, airflow.scheduled_run())}
        os.link(files[-1], landing / files[-1].name)
        airflow.trigger("one_new_day", as_of=as_of.isoformat())
        return runs | {"daily increment": finished(airflow, "one_new_day")}
    finally:
        airflow.end()


def finished(airflow: Airflow, run: str) -> dict[str, Any]:
    """Seconds of a run once it has ended: all, of each task, and between tasks."""
    assert airflow.wait_for_run(run, 3600) == "success", airflow.last_words()
    whole = airflow.get(f"dags/{DAG_ID}/dagRuns/{run}")
    found = airflow.get(f"dags/{DAG_ID}/dagRuns/{run}/taskInstances")["task_instances"]
    tasks = {task["task_id"]: task for task in found}
    starts_ends = [(time_of(tasks[task], "start_date"), time_of(tasks[task], "end_date")) for task in TASKS]
    gaps = [(after[0] - before[1]).total_seconds() for before, after in pairwise(starts_ends)]
    return {
        "seconds": (time_of(whole, "end_date") - time_of(whole, "queued_at")).total_seconds(),
        "tasks": {t: (e - s).total_seconds() for t, (s, e) in zip(TASKS, starts_ends, strict=True)},
        "between": sum(gaps) / len(gaps),
    }


def time_of(answer: dict[str, Any], name: str) -> datetime:
    return datetime.fromisoformat(answer[name])
