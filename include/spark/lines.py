"""Lines and orders in the lake: reading those that a manifest counts, and writing batches."""

from pathlib import Path

from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from include.errors import OutdatedError
from include.lake.manifest import BatchedFiles, FileEntry
from include.lake.paths import batch_folder
from include.spark.schemas import LINES, ORDERS

TYPE_FOLDER: str = LINES["line_type"].metadata["on_disk"]


def read_lines(
    spark: SparkSession, stage: Path, files: BatchedFiles[FileEntry], outcome: str | None = None
) -> DataFrame:
    """The lines of these files, all or those with one outcome; columns as in schemas.LINES.

    Raises OutdatedError when a batch is gone.
    """
    lines = read_batches(spark, stage, files, LINES)
    return lines.where(F.col("outcome") == outcome) if outcome else lines


def read_orders(spark: SparkSession, stage: Path, files: BatchedFiles[FileEntry]) -> DataFrame:
    """The orders of these files; columns as in schemas.ORDERS. Raises OutdatedError when a batch is gone."""
    return read_batches(spark, stage, files, ORDERS)


def read_batches(
    spark: SparkSession, stage: Path, files: BatchedFiles[FileEntry], schema: StructType
) -> DataFrame:
    if lost := sorted(files.lost_batches(stage)):
        raise OutdatedError(f"{batch_folder(stage, lost[0])} is gone", clear_from="ingest")
    # A batch without rows has no files, whose folders would tell Spark the partition columns.
    folders = [str(batch_folder(stage, batch)) for batch in sorted(files.batches)]
    folders = [folder for folder in folders if any(Path(folder).rglob("*.parquet"))]
    if not folders:
        return spark.range(0).select(*[F.lit(None).cast(c.dataType).alias(c.name) for c in schema])
    rows = spark.read.schema(disk_schema(schema)).option("basePath", str(stage)).parquet(*folders)
    return rows.where(counts(files)).select(*as_in_code(schema))


def read_written(spark: SparkSession, folder: Path, schema: StructType) -> DataFrame:
    """The rows that this attempt has written to a folder."""
    return spark.read.schema(disk_schema(schema)).parquet(str(folder)).select(*as_in_code(schema))


def counts(files: BatchedFiles[FileEntry]) -> Column:
    """Whether a row counts: some files of its batch may have been deleted or replaced since."""
    condition = F.lit(True)
    for batch in files.batches - files.whole_batches:
        names = [name for name, entry in files.files.items() if entry.batch == batch]
        condition = condition & ((F.col("batch") != batch) | F.col("file").isin(names))
    return condition


def write_lines(lines: DataFrame, folder: Path, mode: str = "errorifexists") -> None:
    """Write lines, with a folder for each outcome and in it for each line type."""
    writer = lines.select(*as_on_disk(LINES)).write.partitionBy("outcome", TYPE_FOLDER).mode(mode)
    with_dictionaries_for(writer, "file", "country", "reason").parquet(str(folder))


def write_orders(orders: DataFrame, folder: Path) -> None:
    writer = orders.select(*as_on_disk(ORDERS)).write
    with_dictionaries_for(writer, "file", "line_type", "country").parquet(str(folder))


def folder_of_type(folder: Path, outcome: str, line_type: str) -> Path:
    """Where write_lines puts the lines of one outcome and type."""
    return folder / f"outcome={outcome}" / f"{TYPE_FOLDER}={line_type}"


def with_dictionaries_for(writer: DataFrameWriter, *columns: str) -> DataFrameWriter:
    """The writer with Parquet dictionaries for these columns only. Where nearly all values are distinct,
    building a dictionary takes longer than compressing the values."""
    writer = writer.option("parquet.enable.dictionary", "false")
    for column in columns:
        writer = writer.option(f"parquet.enable.dictionary#{column}", "true")
    return writer


def disk_schema(schema: StructType) -> StructType:
    return StructType([type(field)(field.metadata["on_disk"], field.dataType) for field in schema])


def as_in_code(schema: StructType) -> list[Column]:
    return [F.col(field.metadata["on_disk"]).alias(field.name) for field in schema]


def as_on_disk(schema: StructType) -> list[Column]:
    return [F.col(field.name).alias(field.metadata["on_disk"]) for field in schema]
