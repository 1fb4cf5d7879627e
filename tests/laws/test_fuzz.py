"""Thousands of damaged landing files pass through ingest and clean. RFM_FUZZ_FILES and RFM_FUZZ_SEED give
more or others. Files that once found a bug are kept in `found/`.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from include.errors import InputError
from include.landing.files import landed_files
from include.pipeline import PROJECT
from include.settings import RunConfig
from include.spark.conversion import formatted_files
from include.spark.schemas import LANDED
from include.spark.text_files import FormattedFile
from spark_jobs.clean import cleaned_lines, orders
from tests.laws.fuzz import LINE_END, File, landing_file, physical_lines
from tests.tables import land, typed_files

FILES = int(os.environ.get("RFM_FUZZ_FILES", "2000"))
SEED = int(os.environ.get("RFM_FUZZ_SEED", "20101201"))
AT_ONCE = 250
FOUND = PROJECT / "tests" / "laws" / "found"


@dataclass(frozen=True)
class Reading:
    """What ingest and clean made of some files."""

    given: dict[str, File]
    refused: dict[str, str]  # the message about a header with some of our columns, by file
    formatted: list[FormattedFile]
    rows: dict[str, int]  # how many lines ingest counts, by file
    typed: dict[str, list[Row]]  # by file, in order
    cleaned: list[Row]
    lines_in_orders: int

    def about(self, name: str) -> str:
        return f"{name} {self.given[name].damage}"


def read(spark: SparkSession, config: RunConfig, folder: Path, given: Sequence[File]) -> Reading:
    """Land the files, and put them through ingest and clean."""
    for file in given:
        land(folder, file.name, file.data)
    formatted, refused = list[FormattedFile](), dict[str, str]()
    for landed in landed_files(folder)[0]:
        try:
            formatted += formatted_files([landed], config.settings)
        except InputError as error:
            refused[landed.name] = str(error)
    lines, rows = typed_files(spark, config, formatted, folder)
    cleaned = cleaned_lines(lines.where("outcome = 'kept'")).localCheckpoint()
    typed: dict[str, list[Row]] = {file.name: [] for file in formatted}
    for row in lines.orderBy("file", "line").collect():
        typed[row["file"]].append(row)
    counted = orders(cleaned.where("outcome = 'kept'")).agg(F.sum("lines")).collect()[0][0] or 0
    return Reading(
        {file.name: file for file in given}, refused, formatted, rows, typed, cleaned.collect(), counted
    )


def found_files() -> list[File]:
    """Files of lines that were lost, or misread, until their bug was fixed."""
    return [File(path.name, path.read_bytes()) for path in sorted(FOUND.glob("*.csv"))]


def damaged_files(first: int) -> list[File]:
    numbers = range(first, min(first + AT_ONCE, FILES))
    return [landing_file(Random(f"{SEED} {n}"), f"{n:06}.csv") for n in numbers]


@pytest.fixture(
    scope="module",
    params=[None, *range(0, FILES, AT_ONCE)],
    ids=lambda n: f"from {n}" if n is not None else "found",
)
def reading(
    request: pytest.FixtureRequest,
    spark: SparkSession,
    config: RunConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Reading:
    """The files that once found a bug, or AT_ONCE new ones from a number on."""
    given = found_files() if request.param is None else damaged_files(request.param)
    return read(spark, config, tmp_path_factory.mktemp("landing"), given)


def kept_rows(lines: Iterable[Row]) -> dict[str, Counter[tuple[object, ...]]]:
    """The landed columns of the kept lines, by file."""
    kept: dict[str, Counter[tuple[object, ...]]] = {}
    for row in lines:
        if row["outcome"] == "kept":
            kept.setdefault(row["file"], Counter())[tuple(row[name] for name in LANDED.names)] += 1
    return kept


def test_a_header_is_refused_by_file_and_line_and_only_where_damage_has_touched_it(reading: Reading) -> None:
    for name, message in reading.refused.items():
        assert message.startswith(f"{name}: line "), message
        assert not reading.given[name].expected, reading.about(name)


def test_each_line_is_counted_and_kept_or_rejected_with_a_reason(reading: Reading) -> None:
    for name, lines in reading.typed.items():
        assert len(lines) == reading.rows[name], reading.about(name)
        assert all((row["reason"] is None) == (row["outcome"] == "kept") for row in lines)


def test_every_line_of_a_file_is_there_once_with_its_text(reading: Reading) -> None:
    for file in reading.formatted:
        lines = reading.typed[file.name]
        if any(row["reason"] == "file_damaged" for row in lines):
            continue  # its bytes cannot be unpacked to compare
        check_lines(reading.given[file.name], file.format.header_lines, lines, reading.about(file.name))


def check_lines(file: File, header_lines: int, lines: Sequence[Row], about: str) -> None:
    """The raw texts, each from its line on, are the file's lines. Lines in none of them are blank."""
    expected = physical_lines(file)
    covered = set(range(1, header_lines + 1))
    for row in lines:
        texts = LINE_END.split(row["raw"])
        numbers = range(row["line"], row["line"] + len(texts))
        assert texts == [expected[number - 1] for number in numbers], about
        assert not covered & set(numbers), about
        covered |= set(numbers)
    left = [text for number, text in enumerate(expected, 1) if number not in covered]
    assert not any(text.strip(" ") for text in left), (about, left)


def test_damage_costs_its_own_lines_and_no_other(reading: Reading) -> None:
    kept = kept_rows(reading.cleaned)
    missing = {
        reading.about(name): Counter(reading.given[name].expected) - kept.get(name, Counter())
        for name in reading.typed
    }
    assert not {about: rows for about, rows in missing.items() if rows}


def test_clean_decides_on_every_line_that_ingest_keeps(reading: Reading) -> None:
    typed = [row for lines in reading.typed.values() for row in lines]
    assert len(reading.cleaned) == sum(row["outcome"] == "kept" for row in typed)


def test_orders_count_every_kept_line(reading: Reading) -> None:
    assert reading.lines_in_orders == sum(map(Counter.total, kept_rows(reading.cleaned).values()))


@pytest.mark.parametrize("reading", [None], ids=["found"], indirect=True, scope="module")
def test_a_file_that_once_found_a_bug_is_read_as_its_name_says(reading: Reading) -> None:
    assert {name for name, lines in reading.typed.items() if lines} == {file.name for file in found_files()}
    assert all(name.startswith(row["outcome"]) for name, lines in reading.typed.items() for row in lines)
