"""The five jobs on standalone clusters of more and more one-core executors.

Measures the processor time of each job, and how evenly its tasks share it, from Spark's event log. Processor
time, because this machine may have fewer cores than the cluster: executors then wait for each other, but
their work stays the same.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from include.pipeline import PROJECT, TASKS
from tests.benchmarks.measure import landed, run
from tests.cluster import cluster
from tests.java_options import LONG_JOB, read_options

ARCHIVE = PROJECT / ".cache" / "spark.jsa"


def five_jobs_on(executors: int, files: Sequence[Path], as_of: date, folder: Path) -> dict[str, Any]:
    """By job: processor seconds of all its tasks, and its stage with the longest task."""
    shutil.rmtree(folder, ignore_errors=True)
    lake, events = landed(folder / "lake", files), folder / "events"
    events.mkdir()
    settings = {
        "spark.executor.cores": "1",
        "spark.executor.memory": "1g",
        "spark.executor.extraJavaOptions": executor_options(),
        "spark.cores.max": str(executors),
        # Spark's own rule counts the executors that are there by then: the same for all.
        "spark.default.parallelism": str(executors),
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }
    configured = [word for pair in settings.items() for word in ("--conf", "=".join(pair))]
    found = {}
    with cluster(executors, folder, os.environ) as url:
        for task in TASKS:
            script = PROJECT / "spark_jobs" / f"{task}.py"
            command = ["spark-submit", "--master", url, *configured, script, "--lake", lake, "--as-of", as_of]
            measured = run(command, dict(os.environ), folder / "jobs.log")
            assert not measured.failed, f"{task} on {executors} executors: {measured.failed}"
            (log,) = events.iterdir()
            found[task] = task_seconds(log)
            log.unlink()
    return found


def executor_options() -> str:
    """Executors start as in the image: with the class-data archive, and Java as for a long job."""
    command = [str(PROJECT / "include" / "spark" / "java_options"), "class_archive", str(ARCHIVE)]
    archive = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return f"{read_options(LONG_JOB)} {archive}"


def task_seconds(event_log: Path) -> dict[str, Any]:
    """Processor seconds of all tasks together, of the longest one, and of its stage, with the number of the
    stage's tasks."""
    stages: dict[int, list[float]] = {}
    with event_log.open() as events:
        for event in map(json.loads, events):
            if event["Event"] == "SparkListenerTaskEnd" and event["Task End Reason"]["Reason"] == "Success":
                nanoseconds = event["Task Metrics"]["Executor CPU Time"]
                stages.setdefault(event["Stage ID"], []).append(nanoseconds / 1e9)
    longest = max(stages.values(), key=max)
    return {
        "processor": sum(map(sum, stages.values())),
        "longest_task": max(longest),
        "its_stage": sum(longest),
        "tasks": len(longest),
    }
