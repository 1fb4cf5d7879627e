"""What surrounds a job's `main`: arguments, Spark session, attempt, and one clear line when it fails."""

import argparse
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from include.as_of import as_of_date
from include.errors import ConfigError, OutdatedError, UserError
from include.lake.commit import alive, attempt, commit_version, next_number
from include.lake.manifest import CleanedManifest, read_manifest
from include.lake.paths import Lake
from include.lake.record import VersionRecord, read_version
from include.lake.state import Execution, StageRecord
from include.pipeline import (
    ERROR_MARK,
    EXIT_USER_ERROR,
    LAKE_VARIABLE,
    REPORT_VARIABLE,
    REPORTED_APPLICATION,
    REPORTED_RECORD,
    TASK_PROCESS_VARIABLE,
)
from include.settings import Params, RunConfig, config_folder, load_config, load_params
from include.spark.session import spark_session
from include.watchdog import exit_without_task

log = logging.getLogger("rfm")

SPARK_GLOB_CHARACTERS = set("[]{}?*\\")


@dataclass(frozen=True)
class Request:
    """What a job is asked to do."""

    task: str
    as_of: date
    lake: Lake
    config: RunConfig
    params: Params
    dag_run: str


@dataclass(frozen=True)
class Run:
    """One attempt of one job: what it is asked to do, and where it reads and writes."""

    request: Request
    spark: SparkSession
    folder: Path  # of this attempt only, removed at its end
    number: int  # attempts that start later have higher numbers
    execution: Execution

    @property
    def as_of(self) -> date:
        return self.request.as_of

    @property
    def lake(self) -> Lake:
        return self.request.lake

    @property
    def config(self) -> RunConfig:
        return self.request.config

    def cleaned(self) -> CleanedManifest:
        """What `clean` has made for these settings. Raises OutdatedError before its first run."""
        fingerprint = self.config.settings.clean_fingerprint
        manifest = read_manifest(self.lake.cleaned(fingerprint), CleanedManifest)
        if manifest is None:
            raise OutdatedError(
                f"{self.lake.root} has no cleaned lines for these settings", clear_from="ingest"
            )
        return manifest

    def made_before(self, link: Path) -> tuple[Path, VersionRecord]:
        """The version that the task before has made, and its record.

        Raises OutdatedError when there is none, or one of another configuration.
        """
        version, record = read_version(link)
        if record.fingerprint != self.config.fingerprint:
            raise OutdatedError(f"{link} was made with another configuration", clear_from="rfm")
        return version, record

    def report(self, record: StageRecord) -> StageRecord:
        """Hand what the task did to the operator, which logs it as a table, or log it here where there is no
        operator; returns the record."""
        if folder := os.environ.get(REPORT_VARIABLE):
            Path(folder, REPORTED_RECORD).write_text(record.model_dump_json())
        else:
            for line in record.lines():
                log.info(line)
        return record

    def commit_version(self, written: Path, link: Path, record: VersionRecord) -> None:
        if not commit_version(self.lake, written, link, record):
            log.warning("kept %s: it was made from a newer state of the landing folder", link)


@contextmanager
def job(task: str, doc: str | None, argv: Sequence[str] | None) -> Iterator[Run]:
    """Surround a job's `main`, from its arguments to the last line of its log.

    A UserError ends the job with its message and exit code 2, anything else with a traceback, one closing
    line and exit code 1.
    """
    exit_without_task(os.environ.get(TASK_PROCESS_VARIABLE, ""))
    start_log(task)
    try:
        request = read_request(task, doc, argv)
        with alive(request.lake), attempt(request.lake, task) as folder:
            started, number = time.monotonic(), next_number(request.lake)
            spark = spark_session(task, request.as_of)
            log.info("as of %s, %s", request.as_of, request.config.variant or "as configured")
            execution = Execution(task, request.dag_run, spark.sparkContext.applicationId)
            report_application(spark.sparkContext.applicationId)
            # The end of this process stops Spark: PySpark's own stop waits for up to half a second more.
            yield Run(request, spark, folder, number, execution)
            log.info("done in %.1f s", time.monotonic() - started)
    except UserError as error:
        fail(task, str(error), EXIT_USER_ERROR)
    except Exception as error:
        traceback.print_exc()
        fail(task, first_cause(error), 1)


def report_application(application_id: str) -> None:
    """Tell the operator which application this is while there is still nothing else to tell."""
    if folder := os.environ.get(REPORT_VARIABLE):
        Path(folder, REPORTED_APPLICATION).write_text(application_id)


def fail(task: str, message: str, code: int) -> None:
    """End the job; the operator shows the last line that starts with ERROR_MARK."""
    print(f"{ERROR_MARK}{task}: {message}", file=sys.stderr, flush=True)
    sys.exit(code)


def start_log(task: str) -> None:
    """Log without the time, which Airflow puts before each line."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format=f"{task:<8} %(levelname)-8s %(message)s"
    )
    for noisy in ("py4j", "py4j.clientserver", "pyspark"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def first_cause(error: Exception) -> str:
    """One line about the error; for one inside of Spark, about its innermost cause."""
    if isinstance(error, Py4JJavaError):
        cause = error.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        return str(cause.toString()).strip().split("\n")[0]
    return f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}"


def read_request(task: str, doc: str | None, argv: Sequence[str] | None) -> Request:
    """What the arguments ask for. Raises ConfigError for anything that cannot be done."""
    args = parse_arguments(doc, argv)
    params = load_params(args.params)
    config = load_config(args.config, params)
    as_of = as_of_date(args.as_of or str(params.as_of))
    lake = Lake(args.lake.resolve())
    if found := sorted(set(str(lake.root)) & SPARK_GLOB_CHARACTERS):
        raise ConfigError(
            f"the path of the lake, {lake.root}, has {' '.join(found)}, a pattern to Spark; rename it"
        )
    return Request(task, as_of, lake, config, params, args.dag_run)


def parse_arguments(doc: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, add_help=True
    )
    lake = os.environ.get(LAKE_VARIABLE)
    parser.add_argument("--as-of", help="the date of the snapshot, exclusive: 2011-12-10")
    parser.add_argument("--lake", type=Path, default=lake, help=f"default: ${LAKE_VARIABLE}")
    parser.add_argument("--config", type=Path, default=config_folder(), help="folder of segmentation.yaml")
    parser.add_argument("--params", default="{}", help='overrides as JSON: {"segment_map": "rf10"}')
    parser.add_argument("--dag-run", default="by hand", help="the Airflow run, for the record")
    args = parser.parse_args(argv)
    if args.lake is None:
        parser.error(f"no lake: give --lake FOLDER or set {LAKE_VARIABLE}")
    if args.as_of is None and '"as_of"' not in args.params:
        parser.error("no as-of date: give --as-of YYYY-MM-DD")
    return args
