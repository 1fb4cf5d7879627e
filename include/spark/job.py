"""What the five jobs have in common: arguments, Spark session, record of the run, clear errors."""

import argparse
import importlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from include.errors import Refused
from include.lake.commit import Lake, View, batches, read_record
from include.settings import (
    RunConfig,
    as_of_date,
    config_folder,
    load_config,
    load_params,
)
from include.spark.schemas import AMOUNT
from include.watchdog import end_without_task

log = logging.getLogger("rfm")

EXIT_REFUSED = 2
PATTERN = set("[]{}?*\\")  # in a path, to Spark
TASKS_PER_CORE = 4  # or more of what is read, so that no core waits long for the last task of another
ERROR_MARK = "rfm error: "  # the operator looks for the last line that starts so

# What decides results, whatever cluster the job runs on; size and place come from the connection.
SEMANTICS = {
    "spark.sql.session.timeZone": "UTC",  # wall-clock times pass as they are
    "spark.sql.ansi.enabled": "true",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.maxConcurrentOutputFileWriters": "8",  # all outcomes and kinds in one pass, unsorted
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.ui.showConsoleProgress": "false",
    # Nobody looks for a value in the lake's lines: no statistics, larger pages, quick compression.
    "parquet.column.statistics.enabled": "false",
    "parquet.size.statistics.enabled": "false",
    "parquet.page.row.count.limit": "200000",
    "parquet.compression.codec.zstd.level": "1",
}


@dataclass
class Run:
    """One attempt of one job: what it reads with, where it writes, what it will be known by."""

    task: str
    as_of: date
    lake: Lake
    config: RunConfig
    export_cleaned_data: bool
    dag_run: str
    spark: SparkSession
    attempt: Path
    number: int  # of this attempt: one started later has a higher one
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def record(self, rows_in: int, rows_out: int, rejects: dict[str, int], **more: Any) -> dict[str, Any]:
        """What the run's record says of this stage; logged as a table as well."""
        reconcile(self.task, rows_in, rows_out, rejects)
        for name, count in [("rows in", rows_in), *rejects.items(), ("rows out", rows_out)]:
            log.info("%s  %-32s %14s", self.task, name, f"{count:,}")
        return {
            "rows_in": rows_in,
            "rows_out": rows_out,
            "rejects": rejects,
            "seconds": round((datetime.now(UTC) - self.started).total_seconds(), 1),
            "started": self.started.isoformat(timespec="seconds"),
            "dag_run": self.dag_run,
            "application_id": self.spark.sparkContext.applicationId,
            **more,
        }

    def made_before(self, link: Path) -> tuple[Path, dict[str, Any]]:
        """The version that the task before has made, and its record. Raises Refused when there is none, or
        one of another configuration: the snapshot would be of two."""
        version = link.resolve()
        record = read_record(version)
        if record.get("rules") != self.config.rules:
            raise Refused(f"{link} was made with another configuration; clear the run from rfm on")
        return version, record

    def read_batches(
        self, stage: Path, view: View, schema: StructType, outcome: str | None = None
    ) -> DataFrame:
        """The lines that a view counts: of each batch those of the files still landed there. Raises
        Refused when a batch is not there."""
        if gone := sorted(batch for batch in batches(view) if not (stage / batch).is_dir()):
            raise Refused(f"{stage / gone[0]} is gone; clear the run from ingest on")
        # Of a batch without a line Spark could not tell the columns that are in the folders' names.
        filled = (stage / batch for batch in batches(view) if any((stage / batch).rglob("*.parquet")))
        folders = sorted(map(str, filled))
        if not folders:
            return self.spark.range(0).select(*[F.lit(None).cast(c.dataType).alias(c.name) for c in schema])
        lines = self.spark.read.schema(schema).option("basePath", str(stage))
        table = lines.parquet(*folders).select(*schema.names, "batch")
        live = F.lit(True)
        for batch in batches(view):
            name = batch.removeprefix("batch=")
            files = [file for file, entry in view["files"].items() if entry["batch"] == name]
            if len(files) < view["sizes"][name]:  # some have been deleted or replaced since
                live = live & ((F.col("batch") != name) | F.col("file").isin(files))
        table = table.where(live).drop("batch")
        return table.where(F.col("outcome") == outcome) if outcome else table


def write_lines(lines: DataFrame, folder: Path, mode: str | None = None) -> None:
    """Write lines as parquet, the kept and the rejected ones apart, and each kind of them."""
    writer = lines.write.partitionBy("outcome", "kind").mode(mode or "errorifexists")
    with_dictionaries_for(writer, "file", "country", "reason").parquet(str(folder))


def with_dictionaries_for(writer: DataFrameWriter, *few_values: str) -> DataFrameWriter:
    """A writer of parquet that looks values up in a dictionary in these columns only: where nearly all
    are different it takes longer than to compress them."""
    writer = writer.option("parquet.enable.dictionary", "false")
    for column in few_values:
        writer = writer.option(f"parquet.enable.dictionary#{column}", "true")
    return writer


def small_table(spark: SparkSession, rows: Sequence[tuple[Any, ...]], columns: str) -> DataFrame:
    """A few rows of the driver's as a table: `columns` as in "file string, start long".

    Made from one JSON literal, because createDataFrame starts a Python worker on the executors.
    """
    names = [column.split()[0] for column in columns.split(", ")]
    values = [dict(zip(names, row, strict=True)) for row in rows]
    kind = f"array<struct<{', '.join(c.replace(' ', ': ', 1) for c in columns.split(', '))}>>"
    return spark.range(1, numPartitions=1).select(F.inline(literal(values, kind)))


def literal(values: Any, kind: str) -> Column:
    """Values of Spark's type `kind` as one literal: a column for each takes longer to put together than
    to use."""
    return F.from_json(F.lit(json.dumps(values)), kind)


def text_array(texts: Sequence[str | None]) -> Column:
    return literal(texts, "array<string>")


def reconcile(task: str, rows_in: int, rows_out: int, rejects: dict[str, int]) -> None:
    """Raises Refused unless rows in = rows out + rejects."""
    if rows_in != rows_out + sum(rejects.values()):
        raise Refused(f"{task}: {rows_in} rows in, but {rows_out} out and rejects {rejects}: not equal")


def line_amount() -> Column:
    """quantity x unit_price, exact."""
    return (F.col("quantity") * F.col("unit_price")).cast(AMOUNT)


def reject_reason() -> Column:
    """Why a rejected line is none of the kept: a kind that is rejected whole stands for the reason."""
    return F.coalesce("reason", "kind").alias("reason")


@contextmanager
def job(task: str, doc: str | None, argv: Sequence[str] | None) -> Iterator[Run]:
    """The surroundings of a job's main: from the arguments to the last line of its log.

    A Refused ends it with its message and exit code 2, anything else with a traceback, one
    closing line and exit code 1.
    """
    end_without_task()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    for noisy in ("py4j", "py4j.clientserver", "pyspark"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        args = parse_args(doc, argv)
        params = load_params(args.params)
        config = load_config(args.config, params)
        as_of = as_of_date(args.as_of or str(params.as_of))
        lake = Lake(args.lake.resolve())
        if found := sorted(set(str(lake.root)) & PATTERN):
            raise Refused(f"the lake's path {lake.root} has {' '.join(found)}, a pattern to Spark; rename it")
        with lake.alive(), lake.attempt(task) as attempt:
            started, number = time.monotonic(), lake.next_number()
            spark = spark_session(task, as_of)
            log.info("%s  as of %s, %s", task, as_of, config.variant or "as configured")
            run = Run(
                task=task,
                as_of=as_of,
                lake=lake,
                config=config,
                export_cleaned_data=params.export_cleaned_data,
                dag_run=args.dag_run,
                spark=spark,
                attempt=attempt,
                number=number,
            )
            # Spark stops as this process ends: PySpark's own stop waits for up to half a second more.
            yield run
            log.info("%s  done in %.1f s", task, time.monotonic() - started)
    except Refused as error:
        print(f"{ERROR_MARK}{task}: {error}", file=sys.stderr, flush=True)
        sys.exit(EXIT_REFUSED)
    except Exception as error:
        traceback.print_exc()
        print(f"{ERROR_MARK}{task}: {first_cause(error)}", file=sys.stderr, flush=True)
        sys.exit(1)


def first_cause(error: Exception) -> str:
    """One line on what began it; for an error inside of Spark its innermost cause."""
    if isinstance(error, Py4JJavaError):
        cause = error.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        return str(cause.toString()).strip().split("\n")[0]
    return f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}"


def parse_args(doc: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, add_help=True
    )
    parser.add_argument("--as-of", help="the date of the snapshot, exclusive: 2011-12-10")
    parser.add_argument("--lake", type=Path, default=os.environ.get("RFM_LAKE"), help="default: $RFM_LAKE")
    parser.add_argument("--config", type=Path, default=config_folder(), help="folder of segmentation.yaml")
    parser.add_argument("--params", default="{}", help='overrides as JSON: {"segment_map": "rf10"}')
    parser.add_argument("--dag-run", default="by hand", help="the Airflow run, for the record")
    args = parser.parse_args(argv)
    if args.lake is None:
        parser.error("no lake: give --lake FOLDER or set RFM_LAKE")
    if args.as_of is None and '"as_of"' not in args.params:
        parser.error("no as-of date: give --as-of YYYY-MM-DD")
    return args


def spare_pandas() -> None:
    """Load the module by which PySpark tells whether an argument is an array, without the pandas that this
    module asks for: 0.3 s of every job, and no job has arrays. Others may load pandas afterwards."""
    if "pandas" not in sys.modules:
        sys.modules["pandas"] = None  # type: ignore[assignment]
        importlib.import_module("pyspark.testing.utils")
        del sys.modules["pandas"]


def spark_session(task: str, as_of: date) -> SparkSession:
    spare_pandas()
    builder = SparkSession.builder.appName(f"rfm {task} {as_of}")
    for key, value in SEMANTICS.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    # Spark's 200 is hundreds of empty tasks on a laptop and too few for a large cluster.
    cores = spark.sparkContext.defaultParallelism
    spark.conf.set("spark.sql.shuffle.partitions", 8 * cores)
    # Parquet is small for what is in it: by Spark's own measure of bytes a few tasks would have it all.
    spark.conf.set("spark.sql.files.minPartitionNum", TASKS_PER_CORE * cores)
    spark.sparkContext.setLogLevel("WARN")
    return spark
