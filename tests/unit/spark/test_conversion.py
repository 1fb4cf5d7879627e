"""Spark's tasks read landed files, and only what successful tasks have named goes into a batch."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession

from include.errors import ConfigError, TransientError
from include.lake.paths import Lake
from include.lake.state import Execution
from include.landing import blocks as blocks_module
from include.landing.blocks import Block
from include.landing.files import LandedFile, landed_files
from include.landing.formats import Format, FormattedFile
from include.landing.line_files import SCHEMA, WrittenLines, write_blocks
from include.landing.line_values import TYPED, ReadingRules
from include.landing.part_lines import PartLines
from include.landing.parts import Part
from include.settings import Params, RunConfig
from include.spark import conversion, schemas
from include.spark.conversion import (
    LARGEST_TASK,
    check_all_are_written,
    convert_files,
    tasks,
    write_typed_lines,
    written_by_executors,
)
from include.spark.job import Request, Run
from include.spark.lines import read_written
from include.spark.schemas import LINES
from tests.tables import csv_bytes, formatted, land, line

Written = tuple[list[Row], list[PartLines]]


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """A large file with records of several lines, small files, and a compressed one."""
    folder = tmp_path / "landing"
    spread = line(text='"TWO\nLINES"')
    land(folder, "large.csv", csv_bytes(*[line(), spread, line(price="x"), line(customer="")] * 200))
    for number in range(20):
        land(folder, f"small {number}.csv", csv_bytes(line(), line(quantity="x")))
    land(folder, "empty.csv", b"")
    return folder


def write(spark: SparkSession, config: RunConfig, landing: Path, folder: Path) -> Written:
    parts = write_typed_lines(spark, formatted(config, landing), config.settings, folder)
    lines = read_written(spark, folder, LINES).orderBy("file", "line").collect()
    return lines, [part.model_copy(update={"proofs": {}}) for part in parts]  # of some lines of a block only


def test_executors_read_what_the_driver_would(
    spark: SparkSession, config: RunConfig, landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_driver = write(spark, config, landing, tmp_path / "driver")
    monkeypatch.setattr(conversion, "SMALL_DELIVERY", 0)
    for name in ("SMALLEST_BLOCK", "LARGEST_BLOCK"):
        monkeypatch.setattr(blocks_module, name, 5_000)
    for name in ("SMALLEST_TASK", "LARGEST_TASK"):
        monkeypatch.setattr(conversion, name, 5_000)
    by_executors = write(spark, config, landing, tmp_path / "executors")
    assert by_executors == by_driver
    rows, parts = by_executors
    counts = {part.file: part.counts for part in parts}
    assert counts["large.csv"] == {"kept": 600, "unit_price_unreadable": 200}
    assert counts["empty.csv"] == {}
    assert len(rows) == sum(sum(in_file.values()) for in_file in counts.values())
    assert len(list((tmp_path / "executors").rglob("*.parquet"))) > 20, "of several tasks"


def test_a_repeated_attempt_adds_nothing_to_the_batch(
    spark: SparkSession, config: RunConfig, landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Spark repeats a task that was lost, or runs a slow one twice."""
    expected = write(spark, config, landing, tmp_path / "once")

    def write_twice(parts: list[Block], rules: ReadingRules, folder: Path, name: str) -> WrittenLines:
        write_blocks(parts, rules, folder, f"lost-{name}")
        return write_blocks(parts, rules, folder, name)

    monkeypatch.setattr(conversion, "write_blocks", write_twice)
    assert write(spark, config, landing, tmp_path / "twice") == expected
    assert list((tmp_path / "twice-attempts").rglob("*.parquet")), "the lost attempt has left its files"


def test_the_columns_of_the_files_are_those_that_spark_reads() -> None:
    folders = ("outcome", "line_type")
    assert SCHEMA.names == [field.metadata["on_disk"] for field in LINES if field.name not in folders]
    assert set(schemas.LANDED.names) < set(TYPED)


# -- tasks --------------------------------------------------------------------------------------


def block(size: int) -> Block:
    landed = LandedFile(Path("a.csv"), "a.csv", size, 0)
    return Block(FormattedFile(landed, Part(landed, "plain", size), Format(None, 0, None)), 0, size, 1)


def test_small_files_are_put_together_and_each_core_gets_some_tasks() -> None:
    files = [block(100_000) for _ in range(1000)]
    found = tasks(files, cores=2)
    assert [part for task in found for part in task] == files
    assert 8 <= len(found) <= 10


def test_no_task_is_very_long() -> None:
    size = 1 << 20
    assert {len(task) for task in tasks([block(size)] * 6400, cores=2)} == {LARGEST_TASK // size}
    assert [len(task) for task in tasks([block(2 * LARGEST_TASK)] * 3, cores=2)] == [1, 1, 1]


# -- what stops a conversion --------------------------------------------------------------------


def test_lines_that_are_read_and_not_written_stop_the_conversion(
    spark: SparkSession, config: RunConfig, landing: Path, tmp_path: Path
) -> None:
    _, parts = write(spark, config, landing, tmp_path / "lines")
    check_all_are_written(tmp_path / "lines", parts)
    next((tmp_path / "lines").rglob("*.parquet")).unlink()
    with pytest.raises(TransientError, match=r"840 lines were read, and \d+ written"):
        check_all_are_written(tmp_path / "lines", parts)


def test_a_file_that_changes_while_it_is_read_stops_the_conversion(
    spark: SparkSession, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path / "lake")
    land(lake.landing, "a.csv", csv_bytes(line()))
    files, _ = landed_files(lake.landing)

    def change_and_write(parts: list[Block], rules: ReadingRules, folder: Path, name: str) -> WrittenLines:
        with files[0].path.open("a") as more:
            more.write(line())
        return write_blocks(parts, rules, folder, name)

    monkeypatch.setattr(conversion, "write_blocks", change_and_write)
    request = Request("ingest", date(2011, 1, 1), lake, config, Params(), "by hand")
    run = Run(request, spark, tmp_path / "attempt", 1, Execution("ingest", "by hand"))
    with pytest.raises(TransientError, match=r"a\.csv was changed while it was read; try again"):
        convert_files(run, files, {})
    assert not any(lake.ingested(config.settings.ingest_fingerprint).glob("batch=*"))


def lacks_a_package(parts: list[Block], rules: ReadingRules, folder: Path, name: str) -> WrittenLines:
    raise ModuleNotFoundError("No module named 'polars'")


def breaks(parts: list[Block], rules: ReadingRules, folder: Path, name: str) -> WrittenLines:
    raise ValueError("a bug")


@pytest.mark.parametrize(
    ("write", "expected", "message"),
    [
        (lacks_a_package, ConfigError, "an executor's Python has no module polars; give the executors"),
        (breaks, Exception, "a bug"),
    ],
)
def test_an_executor_without_the_packages_is_told_from_a_bug(
    spark: SparkSession,
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[..., WrittenLines],
    expected: type[Exception],
    message: str,
) -> None:
    monkeypatch.setattr(conversion, "write_blocks", write)
    rules = ReadingRules.of(config.settings)
    with pytest.raises(expected, match=message):
        written_by_executors(spark, [[block(1)]], rules, tmp_path)
