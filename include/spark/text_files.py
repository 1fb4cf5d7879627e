"""Text files as numbered lines. Spark reads lines in parallel, but does not number them.

With a partition for each file and each block of a large one, the place of a line in its partition gives
its number: from 1 in a file of one block; in later blocks from the number of lines in the blocks before,
which are counted first.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from include.landing.files import LandedFile
from include.landing.formats import LATIN, WINDOWS, Format, field_pattern
from include.spark.columns import small_table
from include.spark.session import TASKS_PER_CORE

SMALLEST_BLOCK, LARGEST_BLOCK = 32 << 20, 128 << 20  # bytes of a file that one task reads
TEXT_OF_A_TASK = 64 << 20  # bytes of whole files, on average
PLACE_BITS = 33  # monotonically_increasing_id has the place of a row in these bits, the partition above
# How the lines of a file are read; `separator` is the delimiter as a pattern.
READING = "separator string, delimiter string, pattern string, width int, places array<int>"
READING_COLUMNS = [column.split()[0] for column in READING.split(", ")]


class FormattedFile(NamedTuple):
    """A landed file, and how it is read."""

    landed: LandedFile
    format: Format

    @property
    def name(self) -> str:
        return self.landed.name

    @property
    def reading(self) -> tuple[str, str, str, int, tuple[int, ...]]:
        """The values of READING."""
        delimiter = self.format.delimiter
        pattern = field_pattern(delimiter)
        return f"\\{delimiter}", delimiter, pattern, self.format.width, self.format.places


class LandedLines(NamedTuple):
    """Lines with how to read them, and a count of all lines read, headers included."""

    lines: DataFrame
    read: Observation

    @property
    def lines_read(self) -> int:
        """To be asked once the lines have been written."""
        count: int = self.read.get["lines"]
        return count


def landed_lines(
    spark: SparkSession, files: Sequence[FormattedFile], folder: Path, block: int
) -> LandedLines:
    """Every line of the files except headers and blank lines: file, line (from 1), raw, damaged (false)
    and READING. Must be written inside of one_partition_per_block(block). `folder` is for links to the files.
    """
    whole = {name: file for name, file in numbered(files) if fits_in_block(file, block)}
    divided = {name: file for name, file in numbered(files) if not fits_in_block(file, block)}
    parts, first_lines = [], dict.fromkeys(((name, 0) for name in whole), 1)
    if divided:
        parts.append(text_lines(spark, linked(divided, folder / "divided")))
        first_lines |= first_lines_of_blocks(parts[0])
    if whole:
        tasks = tasks_for(spark, whole.values())
        parts.append(text_lines(spark, linked(whole, folder / "whole")).coalesce(tasks))
    lines = reduce(DataFrame.unionByName, parts).where(F.trim("raw") != "")
    read = Observation()
    blocks = blocks_table(spark, whole | divided, first_lines)
    numbered_lines = (
        lines.observe(read, F.count("*").alias("lines"))
        .join(F.broadcast(blocks), ["name", "block"], how="inner")
        .withColumn("line", F.col("place") + F.col("first_line"))
        .where(F.col("line") > F.col("header_lines"))
        .select("file", "line", "raw", F.lit(False).alias("damaged"), *READING_COLUMNS)
    )
    return LandedLines(numbered_lines, read)


def text_lines(spark: SparkSession, folder: Path) -> DataFrame:
    """Every line of the text files in a folder: name (of the file), block (its start in the file), place (of
    the line in the block, from 0) and raw, the text. A line that is not UTF-8 is read as Windows-1252."""
    text = F.col("value")
    latin = F.decode(text.cast("binary"), "ISO-8859-1")
    return spark.read.text(str(folder)).select(
        F.col("_metadata.file_name").alias("name"),
        F.col("_metadata.file_block_start").alias("block"),
        F.monotonically_increasing_id().bitwiseAND(F.lit((1 << PLACE_BITS) - 1)).alias("place"),
        F.when(F.is_valid_utf8(text), text).otherwise(F.translate(latin, LATIN, WINDOWS)).alias("raw"),
    )


def first_lines_of_blocks(lines: DataFrame) -> dict[tuple[str, int], int]:
    """The number of the first line of each (name, block)."""
    counts = lines.groupBy("name", "block").count().collect()  # a row for each 128 MB
    first_lines, above = {}, Counter[str]()
    for name, block, count in sorted(counts):
        first_lines[name, block] = above[name] + 1
        above[name] += count
    return first_lines


def blocks_table(
    spark: SparkSession, files: Mapping[str, FormattedFile], first_lines: Mapping[tuple[str, int], int]
) -> DataFrame:
    """Everything that a line needs to know about its file and block, so that one broadcast join adds it."""
    rows = [
        (name, block, files[name].name, first_line, files[name].format.header_lines, *files[name].reading)
        for (name, block), first_line in first_lines.items()
    ]
    columns = f"name string, block long, file string, first_line long, header_lines long, {READING}"
    return small_table(spark, rows, columns)


def readings_table(spark: SparkSession, files: Sequence[FormattedFile]) -> DataFrame:
    """How the lines of each file are read: file and READING."""
    return small_table(spark, [(file.name, *file.reading) for file in files], f"file string, {READING}")


# -- partitions ---------------------------------------------------------------------------------


def block_size(files: Sequence[FormattedFile], cores: int) -> int:
    """The bytes of a block, such that every core gets some."""
    size = sum(file.landed.size for file in files)
    return min(LARGEST_BLOCK, max(SMALLEST_BLOCK, size // (TASKS_PER_CORE * cores)))


@contextmanager
def one_partition_per_block(block: int, spark: SparkSession) -> Iterator[None]:
    """Inside this context Spark gives every file, and every block of a large file, a partition of its own."""
    settings = {"maxPartitionBytes": block, "openCostInBytes": block, "maxPartitionNum": (1 << 31) - 1}
    before = {name: spark.conf.get(f"spark.sql.files.{name}", None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(f"spark.sql.files.{name}", value)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                spark.conf.unset(f"spark.sql.files.{name}")
            else:
                spark.conf.set(f"spark.sql.files.{name}", old)


def fits_in_block(file: FormattedFile, block: int) -> bool:
    return file.landed.size <= block or file.format.compressed


def tasks_for(spark: SparkSession, files: Iterable[FormattedFile]) -> int:
    """Into how many tasks whole files are put together. Spark puts neighbours by size together, as many in
    each task and the largest first: many tasks, so that the first ones are not very long."""
    least = 2 * TASKS_PER_CORE * spark.sparkContext.defaultParallelism
    return max(least, sum(file.landed.size for file in files) // TEXT_OF_A_TASK + 1)


def numbered(files: Sequence[FormattedFile]) -> Iterator[tuple[str, FormattedFile]]:
    """The files under numbered names, since characters of a file's own name may mean something to Spark."""
    for number, file in enumerate(files):
        yield f"{number:06}.csv{'.gz' if file.format.compressed else ''}", file


def linked(files: Mapping[str, FormattedFile], folder: Path) -> Path:
    """The folder, with a link of each name to its file."""
    folder.mkdir(parents=True)
    for name, file in files.items():
        (folder / name).symlink_to(file.landed.path.resolve())
    return folder
