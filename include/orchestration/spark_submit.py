"""RfmSparkSubmitOperator: SparkSubmitOperator for the jobs of this project.

It adds the arguments all five jobs take, says before submitting what would go wrong after it, turns
a job's own message into the task's, and leaves no driver process behind.
"""

import os
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseHook, BaseOperatorLink, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CommsDecoder

from include.errors import Refused
from include.lake.commit import Lake
from include.orchestration.job_size import java_options
from include.settings import PROJECT, as_of_date, config_folder, load_config, load_params
from include.watchdog import VARIABLE, on_this_host

WAREHOUSE = "RFM_WAREHOUSE"  # as in include/published/warehouse.py, which the DAG need not load
JOB_ERROR = re.compile(r"^.*rfm error: (.*)$", re.MULTILINE)


def as_of(dag_run: Any, params: dict[str, Any]) -> str:
    """The run's as-of date: its `as_of` param, or the day its data interval ends on in the
    pipeline's time zone (a manual run without an interval: the day it is started)."""
    if params.get("as_of"):
        return str(params["as_of"])
    end: datetime = dag_run.data_interval_end or dag_run.run_after
    settings = load_config(config_folder(), load_params("{}")).settings
    return end.astimezone(ZoneInfo(settings.time_zone)).date().isoformat()


def given(operator: Any) -> dict[str, str]:
    """The rendered arguments of a task's job, by name."""
    return dict(zip(operator.application_args[::2], operator.application_args[1::2], strict=True))


def task_processes() -> list[int]:
    """The pids of this task process and of the worker that waits for its result.

    `airflow dags test` has no worker: its parent is a shell, which may go.
    """
    comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return [os.getpid(), os.getppid()] if isinstance(comms, CommsDecoder) else [os.getpid()]


def warehouse_url() -> str | None:
    """Where `publish` loads the snapshot to; None without the connection `rfm_warehouse`."""
    try:
        return BaseHook.get_connection("rfm_warehouse").get_uri()
    except AirflowNotFoundException:
        return None


class SnapshotLink(BaseOperatorLink):
    """From a task of a run to the page of the snapshot that the run publishes."""

    name = "Published snapshot"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        arguments = given(operator)
        try:
            day = as_of_date(arguments["--as-of"])
            variant = load_config(config_folder(), load_params(arguments["--params"])).variant
        except Refused:
            return ""  # the task has failed and says why; there is no snapshot to show
        return f"/rfm/snapshots/{f'variants/{variant}/' if variant else ''}{day}/"


class RfmSparkSubmitOperator(SparkSubmitOperator):
    """Submit `spark_jobs/<task_id>.py` for the run's as-of date and params."""

    operator_extra_links = (SnapshotLink(),)
    ui_color = "#e8f4f0"

    def __init__(self, **kwargs: Any) -> None:
        task = kwargs["task_id"]
        super().__init__(
            application=str(PROJECT / "spark_jobs" / f"{task}.py"),
            name=f"rfm {task}",
            application_args=[
                "--as-of",
                "{{ as_of(dag_run, params) }}",
                "--params",
                "{{ params | tojson }}",
                "--dag-run",
                "{{ dag_run.run_id }}",
            ],
            env_vars={"PYTHONPATH": str(PROJECT)},
            **kwargs,
        )

    def execute(self, context: Context) -> None:
        try:
            self.refuse_what_cannot_work(context)
            options = self.java_options()
        except Refused as error:
            self.fail(f"{self.task_id}: {error}")
        self.env_vars = (self.env_vars or {}) | {VARIABLE: on_this_host(*task_processes())} | options
        os.environ.update(self.env_vars)  # on Kubernetes they reach a driver in the cluster only
        if self.task_id == "publish" and (url := warehouse_url()):
            os.environ[WAREHOUSE] = url  # not in env_vars, which Airflow shows
        try:
            super().execute(context)
        except AirflowException as error:
            told = JOB_ERROR.findall(str(error))
            if told and "Error code is: 2." in str(error):
                self.fail(told[-1])  # bad data or configuration: another try ends the same
            raise

    def fail(self, message: str) -> None:
        raise AirflowFailException(message) from None

    def java_options(self) -> dict[str, str]:
        config = load_config(config_folder(), load_params(given(self)["--params"]))
        return java_options(self.task_id, Lake(Path(os.environ["RFM_LAKE"])), config.settings, os.environ)

    def refuse_what_cannot_work(self, context: Context) -> None:
        """Raises Refused for what spark-submit would tell badly, late or not at all."""
        if not os.environ.get("RFM_LAKE"):
            raise Refused("RFM_LAKE is not set; give it the folder of the lake on the shared volume")
        java = Path(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else "java"
        if not shutil.which(java):
            raise Refused(f"no Java found as {java}; install Java 17 or 21, or correct JAVA_HOME")
        if not shutil.which("spark-submit"):
            raise Refused("no spark-submit on the PATH; it comes with the pyspark package")
        self.refuse_connection_that_means_yarn()
        if context["dag_run"].run_type == "backfill" and context["params"].get("as_of"):
            raise Refused(
                "as_of: a backfill takes its dates from its range, and as_of would give every run "
                "the same one; start it again without as_of"
            )
        arguments = given(self)
        as_of_date(arguments["--as-of"])
        load_config(config_folder(), load_params(arguments["--params"]))

    def refuse_connection_that_means_yarn(self) -> None:
        """SparkSubmitHook takes YARN for a connection it cannot find or read, and says nothing."""
        example = """{"conn_type": "spark", "host": "local[*]"} or {..., "host": "spark://master:7077"}"""
        try:
            connection = BaseHook.get_connection(self._conn_id)
            _ = connection.port  # a wrong one is found as it is read
        except (AirflowNotFoundException, ValueError) as error:
            raise Refused(
                f"connection {self._conn_id!r} is missing or unreadable ({error}), and Spark would "
                f"silently go to YARN; create it, for example as {example}"
            ) from None
        if not connection.host and connection.conn_type != "yarn":
            raise Refused(f"connection {self._conn_id!r} has no host; make it {example}")

    def on_kill(self) -> None:
        """End the submit process and every process below it: a Python driver outlives its JVM."""
        submitted = getattr(self._hook, "_submit_sp", None)
        below = []
        if submitted is not None and submitted.poll() is None:
            submit = psutil.Process(submitted.pid)
            submit.suspend()  # it would start its driver just after we looked
            below = submit.children(recursive=True)
        super().on_kill()
        for process in below:
            if process.is_running():
                self.log.info("Killing process %s left by spark-submit", process.pid)
                process.kill()
        psutil.wait_procs(below, timeout=10)
