"""One attempt of a job in the tests' Spark session."""

from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession

from include.lake.paths import Lake
from include.lake.state import Execution
from include.settings import Params, RunConfig
from include.spark.job import Request, Run


def run_in(folder: Path, spark: SparkSession, config: RunConfig, task: str) -> Run:
    """A run with its lake and its attempt's folder below the given one."""
    request = Request(task, date(2011, 1, 1), Lake(folder / "lake"), config, Params(), "by hand")
    return Run(request, spark, folder / "attempt", 1, Execution(task, "by hand"))
