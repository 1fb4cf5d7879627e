"""Converting landed files: their lines pass through the rules of `ingest` and into batches.

Most lines take the fast path. The few lines that it leaves are read again and typed with the complete
rules. Files whose records may span several lines are read a third time, record by record, in the driver.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from include.errors import TransientError
from include.lake.commit import commit_batch
from include.lake.manifest import BatchedFiles, IngestedFile
from include.landing.files import LandedFile, identity
from include.landing.formats import file_format, unpacks
from include.landing.records import records
from include.settings import Segmentation
from include.spark.columns import has_open_quote
from include.spark.job import Run
from include.spark.lines import read_written, write_lines
from include.spark.schemas import LINES
from include.spark.text_files import (
    FormattedFile,
    block_size,
    landed_lines,
    one_partition_per_block,
    readings_table,
)

log = logging.getLogger("rfm")

RECORDS_AT_ONCE = 50_000
RECORDS = pa.schema([("file", "string"), ("line", "int64"), ("raw", "string"), ("damaged", "bool")])
UNDECIDED = "unusual"  # the outcome of a line that the fast path leaves to the complete rules

Counts = Mapping[str, Mapping[str, int]]  # by file: lines by reject reason, those without as `kept`


@dataclass(frozen=True)
class TypingRules:
    """How lines with READING become typed lines (schemas.LINES). `fast` leaves lines with UNDECIDED."""

    fast: Callable[[DataFrame], DataFrame]
    complete: Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class WrittenLines:
    """The typed lines of some files, and the counts of those files that count from here."""

    folder: Path
    files: int
    counts: Counts


def convert_files(run: Run, files: Sequence[LandedFile], rules: TypingRules) -> BatchedFiles[IngestedFile]:
    """Convert files, and commit their lines as batches. Raises TransientError when a file changed
    in the meantime."""
    if not files:
        return BatchedFiles[IngestedFile]()
    settings = run.config.settings
    log.info("converting %d files", len(files))
    written = write_typed_lines(run.spark, formatted_files(files, settings), rules, run.folder)
    for file in files:
        if not file.path.exists() or file.identity != identity(file.path):
            raise TransientError(f"{file.name} was changed while it was read; try again when it is complete")
    entries, files_in_batch = dict[str, IngestedFile](), dict[str, int]()
    identities = {file.name: file.identity for file in files}
    for part in written:
        batch = commit_batch(part.folder, run.lake.ingested(settings.ingest_fingerprint))
        files_in_batch[batch] = part.files
        for name, counts in part.counts.items():
            entries[name] = ingested_file(identities[name], batch, counts)
    warn_of_files_without_lines(entries)
    return BatchedFiles(files=entries, files_in_batch=files_in_batch)


def formatted_files(files: Sequence[LandedFile], settings: Segmentation) -> list[FormattedFile]:
    return [FormattedFile(file, file_format(file, settings.landing.columns)) for file in files]


def ingested_file(identity: tuple[int, int], batch: str, counts: Mapping[str, int]) -> IngestedFile:
    size, modified = identity
    return IngestedFile(
        batch=batch,
        size=size,
        modified=modified,
        rows=sum(counts.values()),
        kept=counts.get("kept", 0),
        rejects={reason: lines for reason, lines in counts.items() if reason != "kept"},
    )


def warn_of_files_without_lines(entries: Mapping[str, IngestedFile]) -> None:
    for name, entry in entries.items():
        if not entry.kept:
            why = ", ".join(f"{lines:,} {reason}" for reason, lines in entry.rejects.items())
            log.warning("%s: no line is kept; %s", name, why or "it has none")


# -- writing ------------------------------------------------------------------------------------


def write_typed_lines(
    spark: SparkSession, files: Sequence[FormattedFile], rules: TypingRules, attempt: Path
) -> list[WrittenLines]:
    """Write all lines of the files, typed, below the attempt's folder. Files in which several lines are one
    record count from a second reading, record by record. Raises TransientError when not all lines that were
    read were written."""
    by_record = [file for file in files if file.format.encoding or is_damaged(file)]
    by_line = [file for file in files if file not in by_record]
    written = []
    if by_line:
        lines, open_quotes = write_by_line(spark, by_line, rules, attempt)
        written.append(lines)
        by_record += [file for file in by_line if file.name in open_quotes]
    if by_record:
        written.append(write_by_record(spark, by_record, rules, attempt))
    return [lines for lines in written if lines.counts]


def write_by_line(
    spark: SparkSession, files: Sequence[FormattedFile], rules: TypingRules, attempt: Path
) -> tuple[WrittenLines, set[str]]:
    """Write the lines of files as Spark reads them. Also returns the files with a line whose quotes do not
    close, which do not count from here."""
    folder = attempt / "by line" / "ingested"
    block = block_size(files, spark.sparkContext.defaultParallelism)
    with one_partition_per_block(block, spark):
        landed = landed_lines(spark, files, attempt / "landed", block)
        open_quotes = write_both_ways(landed.lines, files, rules, folder)
    counts = counts_by_file(read_written(spark, folder, LINES))
    headers = sum(file.format.header_rows for file in files)
    check_all_are_written(landed.lines_read - headers, counts)
    counted = {f.name: counts.get(f.name, {}) for f in files if f.name not in open_quotes}
    return WrittenLines(folder, len(files), counted), open_quotes


def write_by_record(
    spark: SparkSession, files: Sequence[FormattedFile], rules: TypingRules, attempt: Path
) -> WrittenLines:
    """Write the records of files that Spark cannot read line by line."""
    folder, table = attempt / "by record" / "ingested", attempt / "records.parquet"
    read = write_records(files, table)
    readings = F.broadcast(readings_table(spark, files))
    lines = spark.read.parquet(str(table)).join(readings, "file", how="inner")
    write_both_ways(lines, files, rules, folder)
    counts = counts_by_file(read_written(spark, folder, LINES))
    check_all_are_written(read, counts)
    return WrittenLines(folder, len(files), {f.name: counts.get(f.name, {}) for f in files})


def write_both_ways(
    lines: DataFrame, files: Sequence[FormattedFile], rules: TypingRules, to: Path
) -> set[str]:
    """Write lines typed by the fast path, and then those that it left, typed by the complete rules. Returns
    the files with a line whose quotes do not close."""
    spark, left = lines.sparkSession, to.with_name(UNDECIDED)
    write_lines(rules.fast(lines), to)
    if not (to / f"outcome={UNDECIDED}").exists():
        return set()
    (to / f"outcome={UNDECIDED}").rename(left)
    again = read_written(spark, left, LINES)
    with_readings = again.join(F.broadcast(readings_table(spark, files)), "file", how="inner")
    write_lines(
        rules.complete(with_readings.withColumn("damaged", F.col("reason").isNotNull())), to, "append"
    )
    open_quotes = again.where(has_open_quote("raw")).select("file").distinct()
    return {row["file"] for row in open_quotes.collect()}


def write_records(files: Sequence[FormattedFile], to: Path) -> int:
    """Write the records of files as a table: file, line, raw, damaged. Returns how many there are."""
    count = 0
    with pq.ParquetWriter(to, RECORDS) as writer:
        for file in files:
            log.info("%s is read record by record", file.name)
            found = records(file.landed, file.format)
            while some := [(file.name, *record) for record in islice(found, RECORDS_AT_ONCE)]:
                count += len(some)
                writer.write_table(pa.table([list(column) for column in zip(*some, strict=True)], RECORDS))
    return count


def is_damaged(file: FormattedFile) -> bool:
    return file.format.compressed and not unpacks(file.landed.path)


# -- counting -----------------------------------------------------------------------------------


def counts_by_file(lines: DataFrame) -> Counts:
    reason = F.when(F.col("outcome") == "kept", "kept").otherwise(F.col("reason")).alias("reason")
    counts: dict[str, dict[str, int]] = {}
    for file, why, number in lines.groupBy("file", reason).count().collect():  # a few rows per landed file
        counts.setdefault(file, {})[why] = number
    return counts


def check_all_are_written(read: int, counts: Counts) -> None:
    """Raises TransientError unless the tables have as many lines as were read from the files."""
    written = sum(sum(in_file.values()) for in_file in counts.values())
    if read != written:
        raise TransientError(f"{read:,} lines were read, and {written:,} written; run it again")
