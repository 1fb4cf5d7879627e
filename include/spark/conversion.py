"""Converting landed files: Spark's tasks read them, each some blocks, and write their typed lines themselves.

A task writes under a name that no other attempt uses, and returns what it has written. Only that goes into
the batch: a killed, repeated or speculative attempt leaves files which nobody has named. A small delivery is
read by the driver, which is quicker than starting Python on the executors.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from shutil import rmtree

import pyarrow as pa
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from pyspark.errors import PythonException
from pyspark.sql import SparkSession

from include.errors import ConfigError, TransientError
from include.lake.commit import commit_batch, random_id
from include.lake.ingested import ingested_files
from include.lake.manifest import BatchedFiles, IngestedFile, proofs_of
from include.landing.blocks import Block, blocks
from include.landing.by_evidence import read_by_evidence
from include.landing.files import LandedFile, identity
from include.landing.formats import FormattedFile, formatted_files
from include.landing.line_files import WrittenLines, write_blocks
from include.landing.line_values import ReadingRules
from include.landing.part_lines import PartLines, added_up
from include.settings import Segmentation
from include.spark.executors import share_code, unfit_python
from include.spark.job import Run
from include.spark.session import TASKS_PER_CORE

log = logging.getLogger("rfm")

SMALL_DELIVERY = 128 << 20  # bytes: the driver reads less than this itself, in half of the time at 50 MB
SMALLEST_TASK, LARGEST_TASK = 4 << 20, 64 << 20  # bytes; a larger block is a task of its own


def convert_files(
    run: Run, files: Sequence[LandedFile], converted: Mapping[str, IngestedFile]
) -> BatchedFiles[IngestedFile]:
    """Convert files, and commit their lines as a batch. Those that are converted already help to prove how
    dates and numbers are written.

    Raises InputError where that is contradicted or not proven, and TransientError when a file changed in the
    meantime.
    """
    if not files:
        return BatchedFiles[IngestedFile]()
    settings, folder = run.config.settings, run.folder / "ingested"
    log.info("converting %d files", len(files))
    formatted = formatted_files(files, settings.landing.formats)

    def write(files: Sequence[FormattedFile]) -> list[PartLines]:
        return write_typed_lines(run.spark, files, settings, folder)

    read, lines = read_by_evidence(formatted, list(proofs_of(converted)), ReadingRules.of(settings), write)
    for file in files:
        if not file.path.exists() or file.identity != identity(file.path):
            raise TransientError(f"{file.name} was changed while it was read; try again when it is complete")
    batch = commit_batch(folder, run.lake.ingested(settings.ingest_fingerprint))
    entries = ingested_files(read, lines, batch)
    warn_of_files_without_lines(entries)
    return BatchedFiles(files=entries, files_in_batch={batch: len(files)})


def warn_of_files_without_lines(entries: Mapping[str, IngestedFile]) -> None:
    for name, entry in entries.items():
        if not entry.kept:
            why = ", ".join(f"{lines:,} {reason}" for reason, lines in entry.rejects.items())
            log.warning("%s: no line is kept; %s", name, why or "it has none")


# -- tasks --------------------------------------------------------------------------------------


def write_typed_lines(
    spark: SparkSession, files: Sequence[FormattedFile], settings: Segmentation, folder: Path
) -> list[PartLines]:
    """Write the typed lines of files to a folder, and count them by part. Raises TransientError when other
    lines were written than the tasks have counted."""
    rules, attempts = ReadingRules.of(settings), folder.with_name(f"{folder.name}-attempts")
    rmtree(folder, ignore_errors=True)  # of a first reading, by which more was proven
    attempts.mkdir(parents=True, exist_ok=True)
    cores = spark.sparkContext.defaultParallelism
    parts = blocks(files, cores)
    if sum(part.size for part in parts) < SMALL_DELIVERY:
        written = [write_blocks(parts, rules, attempts, random_id())]
    else:
        written = written_by_executors(spark, tasks(parts, cores), rules, attempts)
    take_named(written, attempts, folder)
    found = added_up(part for lines in written for part in lines.parts)
    check_all_are_written(folder, found)
    return found


def tasks(parts: Sequence[Block], cores: int) -> list[list[Block]]:
    """Neighbouring blocks put together, so that each core gets some tasks and none is very long."""
    share = sum(part.size for part in parts) // (TASKS_PER_CORE * cores)
    most = min(LARGEST_TASK, max(SMALLEST_TASK, share))
    found: list[list[Block]] = [[]]
    size = 0
    for part in parts:
        if found[-1] and size + part.size > most:
            found.append([])
            size = 0
        found[-1].append(part)
        size += part.size
    return found


def written_by_executors(
    spark: SparkSession, tasks: Sequence[Sequence[Block]], rules: ReadingRules, folder: Path
) -> list[WrittenLines]:
    """What Spark's tasks have written. Raises ConfigError where an executor's Python cannot."""

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = [
                write_blocks(tasks[place], rules, folder, random_id()) for place in batch["id"].to_pylist()
            ]
            yield pa.record_batch({"written": [lines.model_dump_json() for lines in found]})

    share_code(spark, folder)
    numbers = spark.range(len(tasks), numPartitions=len(tasks))
    try:
        rows = numbers.mapInArrow(write, "written string").collect()  # a row for each task
    except (PythonException, Py4JJavaError) as error:
        if why := unfit_python(str(error)):
            raise ConfigError(why) from None
        raise
    return [WrittenLines.model_validate_json(row["written"]) for row in rows]


# -- counting -----------------------------------------------------------------------------------


def take_named(written: Sequence[WrittenLines], attempts: Path, folder: Path) -> None:
    """Move the files that successful tasks have named to the folder."""
    folder.mkdir()
    for name in [name for lines in written for name in lines.parquet]:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (attempts / name).rename(target)


def check_all_are_written(folder: Path, parts: Sequence[PartLines]) -> None:
    """Raises TransientError unless the files in the folder have as many lines as the tasks have counted."""
    read = sum(sum(part.counts.values()) for part in parts)
    written = sum(pq.read_metadata(file).num_rows for file in folder.rglob("*.parquet"))
    if read != written:
        raise TransientError(f"{read:,} lines were read, and {written:,} written; run it again")
