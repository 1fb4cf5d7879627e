"""RfmSparkSubmitOperator: SparkSubmitOperator for the jobs of this project.

It adds the arguments that all five jobs take, ends a task that has nothing to do without starting Java,
refuses before submitting what would fail after it, shows a job's own message as the task's, and leaves no
driver process behind.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psutil
from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Asset, BaseHook, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CommsDecoder
from pydantic import JsonValue

from include.as_of import as_of_date
from include.errors import ConfigError, UserError
from include.lake.paths import Lake
from include.lake.skip import Skipped, skip
from include.lake.state import Execution, StageRecord
from include.orchestration.job_size import java_options
from include.orchestration.links import ReportLink, SnapshotLink, SparkHistoryLink, job_arguments
from include.orchestration.messages import JOB_MESSAGE
from include.orchestration.metrics import send_gauges
from include.pipeline import (
    ASSET_URIS,
    EXIT_USER_ERROR,
    LAKE_VARIABLE,
    NUMBERS,
    PROJECT,
    REPORT_VARIABLE,
    REPORTED_APPLICATION,
    REPORTED_RECORD,
    TASK_PROCESS_VARIABLE,
    TASKS,
    WAREHOUSE_CONNECTION,
    WAREHOUSE_URL_VARIABLE,
)
from include.settings import RunConfig, Segmentation, config_folder, load_config, load_params
from include.watchdog import on_this_host

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset
    from openlineage.client.facet_v2 import RunFacet

# Lines that Java and Spark write at each start of a driver.
CHATTER = re.compile("Using incubator modules|Ignoring non-Spark config property")
CONNECTION_EXAMPLE = """{"conn_type": "spark", "host": "local[*]"} or {..., "host": "spark://master:7077"}"""


class RfmSparkSubmitOperator(SparkSubmitOperator):
    """Submit `spark_jobs/<task_id>.py` for the run's as-of date and params."""

    operator_extra_links = (SnapshotLink(), ReportLink(), SparkHistoryLink())
    ui_color = "#e8f4f0"

    def __init__(self, *, task_id: str, loads_warehouse: bool = False, **kwargs: Any) -> None:
        super().__init__(
            task_id=task_id,
            application=str(PROJECT / "spark_jobs" / f"{task_id}.py"),
            name=f"rfm {task_id}",
            application_args=[
                "--as-of",
                "{{ as_of(dag_run, params) }}",
                "--params",
                "{{ params | tojson }}",
                "--dag-run",
                "{{ dag_run.run_id }}",
            ],
            env_vars={"PYTHONPATH": str(PROJECT)},
            inlets=[asset(before) for before in tasks_before(task_id)[-1:]],
            outlets=[asset(task_id)],
            **kwargs,
        )
        self.loads_warehouse = loads_warehouse
        self.application_id: str | None = None  # of the job, once it has run
        self.record: StageRecord | None = None  # of what was done, once it is known

    def _get_hook(self) -> SparkSubmitHook:
        return without_chatter(super()._get_hook())

    def execute(self, context: Context) -> None:
        try:
            self.refuse_what_cannot_work(context)
            skipped = self.skip()
            options = {} if skipped else java_options(self.task_id, lake(), self.settings(), os.environ)
        except UserError as error:
            self.fail(f"{self.task_id}: {error}")
        if skipped:
            self.log_skipped(skipped)
            self.surface(context, skipped.record)
            return
        with report_folder(lake()) as folder:
            try:
                self.submit(context, {**options, REPORT_VARIABLE: str(folder)})
            finally:
                self.application_id = reported_application(folder)
            if record := reported_record(folder):
                self.surface(context, record)

    def surface(self, context: Context, record: StageRecord) -> None:
        """Put the task's numbers where people of Airflow look: the end of the log, XCom, the event of its
        asset, and the metrics."""
        self.record = record
        for line in record.lines():
            self.log.info(line)
        arguments, config = job_arguments(self), self.config()
        numbers: dict[str, JsonValue] = {
            "as_of": arguments["--as-of"],
            "variant": config.variant,
            **record.model_dump(mode="json"),
        }
        context["ti"].xcom_push(key=NUMBERS, value=numbers)
        event = context["outlet_events"][asset(self.task_id)]
        event.extra.update(numbers)
        if self.task_id == TASKS[-1] and config.variant is None:
            event.add_partitions(arguments["--as-of"])
        send_gauges(self.task_id, record, as_of_date(arguments["--as-of"]), lake(), config)

    def get_openlineage_facets_on_complete(self, _: object) -> "OperatorLineage[Dataset, RunFacet]":
        """What the task has read and written. Airflow's OpenLineage provider asks, where it is installed."""
        from include.orchestration.lineage import lineage

        day, config = as_of_date(job_arguments(self)["--as-of"]), self.config()
        return lineage(self.task_id, day, config.variant, lake(), self.record)

    def submit(self, context: Context, variables: Mapping[str, str]) -> None:
        watched = {TASK_PROCESS_VARIABLE: on_this_host(*task_processes())}
        self.env_vars = {**(self.env_vars or {}), **watched, **variables}
        secret = {}
        if self.loads_warehouse and (url := warehouse_url()):
            secret[WAREHOUSE_URL_VARIABLE] = url  # not in env_vars, which Airflow shows
        try:
            # On Kubernetes `env_vars` reach only a driver in the cluster.
            with environment(self.env_vars | secret):
                super().execute(context)
        except AirflowException as error:
            messages = JOB_MESSAGE.findall(str(error))
            if messages and has_exit_code(error, EXIT_USER_ERROR):
                self.fail(messages[-1])  # another try would end the same
            raise

    def fail(self, message: str) -> NoReturn:
        """Fail the task without a retry."""
        raise AirflowFailException(message) from None

    def config(self) -> RunConfig:
        return load_config(config_folder(), load_params(job_arguments(self)["--params"]))

    def settings(self) -> Segmentation:
        return self.config().settings

    # -- nothing to do --------------------------------------------------------------------------

    def skip(self) -> Skipped | None:
        """End the task without Spark where it has nothing to do."""
        execution = Execution(self.task_id, job_arguments(self)["--dag-run"])
        return skip(lake(), self.settings(), execution)

    def log_skipped(self, skipped: Skipped) -> None:
        for warning in skipped.warnings:
            self.log.warning(warning)
        self.log.info("No landed file is new, changed or lost: Spark is not started")

    # -- refusals -------------------------------------------------------------------------------

    def refuse_what_cannot_work(self, context: Context) -> None:
        """Raises ConfigError for what spark-submit would report badly, late or not at all."""
        if not os.environ.get(LAKE_VARIABLE):
            raise ConfigError(
                f"{LAKE_VARIABLE} is not set; give it the folder of the lake on the shared volume"
            )
        java = Path(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else "java"
        if not shutil.which(java):
            raise ConfigError(f"no Java found as {java}; install Java 17 or 21, or correct JAVA_HOME")
        if not shutil.which("spark-submit"):
            raise ConfigError("no spark-submit on the PATH; it comes with the pyspark package")
        self.refuse_connection_that_means_yarn()
        if context["dag_run"].run_type == "backfill" and context["params"].get("as_of"):
            raise ConfigError(
                "as_of: a backfill takes its dates from its range, and as_of would give every run the same "
                "one. Start one of 'Missing and Errored Runs' over the same range, with as_of empty and "
                "'Override parameters on existing runs' ticked: or else the runs keep their parameters"
            )
        arguments = job_arguments(self)
        as_of_date(arguments["--as-of"])
        load_config(config_folder(), load_params(arguments["--params"]))

    def refuse_connection_that_means_yarn(self) -> None:
        """SparkSubmitHook silently takes YARN for a connection that it cannot find or read."""
        connection_id = spark_connection_id(self)
        try:
            connection = BaseHook.get_connection(connection_id)
            _ = connection.port  # a wrong port is found only when it is read
        except (AirflowNotFoundException, ValueError) as error:
            raise ConfigError(
                f"connection {connection_id!r} is missing or unreadable ({error}), and Spark would "
                f"silently go to YARN; create it, for example as {CONNECTION_EXAMPLE}"
            ) from None
        if not connection.host and connection.conn_type != "yarn":
            raise ConfigError(f"connection {connection_id!r} has no host; make it {CONNECTION_EXAMPLE}")

    # -- ending ---------------------------------------------------------------------------------

    def on_kill(self) -> None:
        """End the submit process and every process below it: a Python driver outlives its JVM."""
        submit = submit_process(self)
        below = []
        if submit is not None and submit.poll() is None:
            process = psutil.Process(submit.pid)
            process.suspend()  # or it might start its driver just after we looked
            below = process.children(recursive=True)
        super().on_kill()
        for process in below:
            if process.is_running():
                self.log.info("Killing process %s left by spark-submit", process.pid)
                process.kill()
        psutil.wait_procs(below, timeout=10)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """This process's environment with the given variables, for the time of a submission."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def report_folder(lake: Lake) -> Iterator[Path]:
    """A folder for a job's record. It is in the lake, which a driver on another host sees too."""
    lake.reports.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=lake.reports) as folder:
        yield Path(folder)


def asset(task: str) -> Asset:
    """What a task makes, as an Airflow asset."""
    return Asset(ASSET_URIS[task])


def tasks_before(task: str) -> tuple[str, ...]:
    return TASKS[: TASKS.index(task)]


def reported_application(folder: Path) -> str | None:
    """The id of the job's Spark application. None where it did not come to have one, or where the cluster
    does not hand variables on to its drivers."""
    file = folder / REPORTED_APPLICATION
    return file.read_text() if file.exists() else None


def reported_record(folder: Path) -> StageRecord | None:
    file = folder / REPORTED_RECORD
    return StageRecord.model_validate_json(file.read_bytes()) if file.exists() else None


def lake() -> Lake:
    return Lake(Path(os.environ[LAKE_VARIABLE]))


def warehouse_url() -> str | None:
    """Where `publish` loads the snapshot; None without the connection."""
    try:
        return BaseHook.get_connection(WAREHOUSE_CONNECTION).get_uri()
    except AirflowNotFoundException:
        return None


# -- what Airflow and its Spark provider keep private, read in Airflow 3.3.2 and provider 6.3.4 ------


def task_processes() -> list[int]:
    """The pids of this task process and of the worker that waits for its result.

    `airflow dags test` has no worker: its parent is a shell, which may go.
    """
    comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
    return [os.getpid(), os.getppid()] if isinstance(comms, CommsDecoder) else [os.getpid()]


def without_chatter(hook: SparkSubmitHook) -> SparkSubmitHook:
    """The hook, which leaves out of the log what Java and Spark write at each start."""
    process = hook._process_spark_submit_log

    def process_without_chatter(lines: Iterator[str]) -> None:
        process(line for line in lines if not CHATTER.search(line))

    hook._process_spark_submit_log = process_without_chatter  # type: ignore[method-assign, assignment]
    return hook


def spark_connection_id(operator: SparkSubmitOperator) -> str:
    connection_id: str = operator._conn_id
    return connection_id


def submit_process(operator: SparkSubmitOperator) -> "subprocess.Popen[bytes] | None":
    return getattr(operator._hook, "_submit_sp", None)


def has_exit_code(error: AirflowException, code: int) -> bool:
    """The hook raises with the exit code of spark-submit in its message only."""
    return f"Error code is: {code}." in str(error)
