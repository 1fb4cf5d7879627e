"""The Spark session of a job. Size and place of the cluster come from the connection, never from here."""

import importlib
import sys
from datetime import date

from pyspark.sql import SparkSession

TASKS_PER_CORE = 4  # or more, so that no core waits long for another one's last task

# Settings that decide results or the format of files, the same on every cluster.
SEMANTICS = {
    "spark.sql.session.timeZone": "UTC",  # wall-clock times pass unchanged
    "spark.sql.ansi.enabled": "true",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.maxConcurrentOutputFileWriters": "8",  # all outcomes and line types in one pass, unsorted
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.ui.showConsoleProgress": "false",
    "spark.executorEnv.POLARS_MAX_THREADS": "1",  # a task that reads landed files has one core
    # Lake lines are never filtered by value, so skip statistics, use large pages and fast compression.
    "parquet.column.statistics.enabled": "false",
    "parquet.size.statistics.enabled": "false",
    "parquet.page.row.count.limit": "200000",
    "parquet.compression.codec.zstd.level": "1",
}


def spark_session(task: str, as_of: date) -> SparkSession:
    spare_pandas()
    builder = SparkSession.builder.appName(f"rfm {task} {as_of}")
    for key, value in SEMANTICS.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    # Spark's default of 200 means hundreds of empty tasks on a laptop and too few on a large cluster.
    cores = spark.sparkContext.defaultParallelism
    spark.conf.set("spark.sql.shuffle.partitions", 8 * cores)
    # Spark splits by bytes, and compressed Parquet is small: without this, a few tasks would get all rows.
    spark.conf.set("spark.sql.files.minPartitionNum", TASKS_PER_CORE * cores)
    spark.sparkContext.setLogLevel("WARN")
    return spark


def spare_pandas() -> None:
    """Load PySpark's test for arrays without the pandas that it imports: 0.3 s of each job (PySpark 4.2.0).

    `pyspark.testing.utils` imports pandas where it is installed, and is imported for the first literal.
    No job has arrays. Other modules may load pandas afterwards.
    """
    if "pandas" not in sys.modules:
        sys.modules["pandas"] = None  # type: ignore[assignment]
        importlib.import_module("pyspark.testing.utils")
        del sys.modules["pandas"]
