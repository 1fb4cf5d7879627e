"""Lines of text files, numbered as in their file however Spark reads them."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from include.landing.files import LandedFile
from include.landing.formats import Format
from include.spark import text_files
from include.spark.text_files import FormattedFile, block_size, one_partition_per_block
from tests.tables import HEADER, ReadFiles, column, line

PLAIN = Format(False, None, 1, 1, ",", 8, tuple(range(8)))


def of_size(size: int) -> FormattedFile:
    return FormattedFile(LandedFile(Path("a.csv"), "a.csv", size, 0), PLAIN)


def test_each_reject_has_its_file_and_line_whatever_is_around_it(ingested: ReadFiles) -> None:
    crlf = "\r\n".join([HEADER, line(), "", line(quantity="x"), line()]).encode()
    bom = b"\xef\xbb\xbf" + "\n".join([HEADER, line(price="x")]).encode()
    table = ingested(crlf, [line()], bom).where("outcome = 'rejected'")
    assert [(r["file"], r["line"], r["reason"]) for r in table.orderBy("file").collect()] == [
        ("0.csv", 4, "quantity_unreadable"),
        ("2.csv", 2, "unit_price_unreadable"),
    ]


def test_lines_are_numbered_through_the_blocks_of_a_large_file(
    ingested: ReadFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "SMALLEST_BLOCK", 1000)
    table = ingested([line(quantity=str(n)) for n in range(2, 302)], [line(quantity="2")], [line()] * 300)
    rows = table.where("file < '2'").select("file", "line", "quantity").collect()
    assert len(rows) == 301
    assert all(row["line"] == row["quantity"] for row in rows)
    assert sorted(column(table.where("file >= '2'"), "line")) == list(range(2, 302))


@pytest.mark.parametrize("most_partitions", [None, "1"])
def test_each_file_is_numbered_from_its_first_line_however_spark_would_pack_them(
    spark: SparkSession, ingested: ReadFiles, most_partitions: str | None
) -> None:
    """spark.sql.files.maxPartitionNum would put several files into one partition."""
    if most_partitions:
        spark.conf.set("spark.sql.files.maxPartitionNum", most_partitions)
    try:
        table = ingested(*[[line(quantity=str(n)) for n in range(2, 2 + count)] for count in range(1, 40)])
        rows = table.select("line", "quantity").collect()
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionNum")
    assert len(rows) == sum(range(1, 40))
    assert all(row["line"] == row["quantity"] for row in rows)


def test_spark_splits_files_as_before_once_the_lines_are_read(spark: SparkSession) -> None:
    names = [
        f"spark.sql.files.{name}" for name in ("maxPartitionBytes", "openCostInBytes", "maxPartitionNum")
    ]
    spark.conf.set(names[1], "5000")
    try:
        before = [spark.conf.get(name, None) for name in names]
        with pytest.raises(ValueError, match="inside"), one_partition_per_block(1000, spark):
            assert [spark.conf.get(name) for name in names] == ["1000", "1000", str((1 << 31) - 1)]
            raise ValueError("inside")
        assert [spark.conf.get(name, None) for name in names] == before
    finally:
        spark.conf.unset(names[1])


@pytest.mark.parametrize(
    ("megabytes", "block"),
    [(1, 32), (2_000, 2_000 // (4 * 8)), (10_000, 128)],
    ids=["no block is very small", "each core gets four blocks", "no block is very large"],
)
def test_a_block_is_as_large_as_the_cores_can_share(megabytes: int, block: int) -> None:
    files = [of_size(megabytes << 19), of_size(megabytes << 19)]
    assert block_size(files, cores=8) >> 20 == block
