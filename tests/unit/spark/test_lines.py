"""Lines and orders in the lake: those that a manifest counts, under the names they have had on disk."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from include.errors import OutdatedError
from include.lake.manifest import BatchedFiles, FileEntry
from include.lake.paths import batch_folder
from include.spark.columns import small_table
from include.spark.lines import read_lines, read_orders, read_written, write_lines, write_orders
from include.spark.schemas import LINES, ORDERS


def lines_of(spark: SparkSession, *files: str) -> DataFrame:
    """One kept purchase and one rejected line of each file."""
    rows = [
        (file, number, outcome, line_type)
        for file in files
        for number, outcome, line_type in [(2, "kept", "purchase"), (3, "rejected", "other")]
    ]
    given = small_table(spark, rows, "file string, line long, outcome string, line_type string")
    others = {field.name: field.dataType for field in LINES if field.name not in given.columns}
    return given.withColumns({name: F.lit(None).cast(kind) for name, kind in others.items()})


@pytest.fixture(scope="module")
def stage(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stage with a batch of two files, a batch of one, and an empty batch."""
    stage = tmp_path_factory.mktemp("stage")
    for batch, files in {"one": ["a.csv", "b.csv"], "two": ["c.csv"]}.items():
        write_lines(lines_of(spark, *files), batch_folder(stage, batch))
    batch_folder(stage, "empty").mkdir()
    return stage


def files_in(**batches: str) -> BatchedFiles[FileEntry]:
    """Files by the first letter of their name, in batches."""
    entries = {f"{letter}.csv": FileEntry(batch=batch) for letter, batch in batches.items()}
    return BatchedFiles(files=entries, files_in_batch={"one": 2, "two": 1, "empty": 1})


def names(lines: DataFrame) -> list[str]:
    return [row["file"] for row in lines.orderBy("file", "line").collect()]


def test_the_lines_of_all_files_of_the_manifest_are_read(spark: SparkSession, stage: Path) -> None:
    lines = read_lines(spark, stage, files_in(a="one", b="one", c="two", d="empty"))
    assert lines.schema.names == LINES.names
    assert names(lines) == ["a.csv", "a.csv", "b.csv", "b.csv", "c.csv", "c.csv"]


def test_lines_of_a_file_that_no_longer_counts_are_left_out(spark: SparkSession, stage: Path) -> None:
    assert names(read_lines(spark, stage, files_in(b="one", c="two"))) == ["b.csv", "b.csv", "c.csv", "c.csv"]


def test_lines_are_read_by_their_outcome(spark: SparkSession, stage: Path) -> None:
    (row,) = read_lines(spark, stage, files_in(c="two"), "kept").collect()
    assert (row["outcome"], row["line_type"]) == ("kept", "purchase")


@pytest.mark.parametrize("files", [files_in(), files_in(d="empty")], ids=["no file", "no line"])
def test_without_lines_the_columns_are_the_same(
    spark: SparkSession, stage: Path, files: BatchedFiles[FileEntry]
) -> None:
    lines = read_lines(spark, stage, files)
    assert [(c.name, c.dataType) for c in lines.schema] == [(c.name, c.dataType) for c in LINES]
    assert lines.collect() == []


def test_a_lost_batch_is_refused_with_what_to_clear(spark: SparkSession, stage: Path) -> None:
    with pytest.raises(OutdatedError, match="batch=lost is gone; clear the run from `ingest`"):
        read_lines(spark, stage, files_in(a="lost", c="two"))


def test_on_disk_the_type_of_a_line_is_its_kind_as_before(stage: Path) -> None:
    """Another name would make every lake read its landing files again."""
    folders = {str(file.parent.relative_to(stage)) for file in stage.rglob("*.parquet")}
    assert folders == {
        f"batch={batch}/outcome={outcome}"
        for batch in ("one", "two")
        for outcome in ("kept/kind=purchase", "rejected/kind=other")
    }


def test_on_disk_the_scaled_amount_of_an_order_has_its_name_from_before(
    spark: SparkSession, tmp_path: Path
) -> None:
    orders = small_table(spark, [("a.csv", 95_000)], "file string, amount_e4 long")
    others = {field.name: field.dataType for field in ORDERS if field.name not in orders.columns}
    orders = orders.withColumns({name: F.lit(None).cast(kind) for name, kind in others.items()})
    folder = batch_folder(tmp_path, "one")
    write_orders(orders, folder)
    (file,) = folder.glob("*.parquet")
    assert pq.read_schema(file).names == [
        *[
            "file",
            "part",
            "customer_id",
            "invoice_no",
            "order_date",
            "line_type",
            "country",
            "lines",
            "amount",
            "units",
        ]
    ]
    assert [row["amount_e4"] for row in read_written(spark, folder, ORDERS).collect()] == [95_000]
    asked = BatchedFiles[FileEntry](files={"a.csv": FileEntry(batch="one")}, files_in_batch={"one": 1})
    assert [row["amount_e4"] for row in read_orders(spark, tmp_path, asked).collect()] == [95_000]
