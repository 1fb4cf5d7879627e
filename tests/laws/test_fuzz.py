"""Thousands of damaged landing files through ingest and clean. RFM_FUZZ_FILES and RFM_FUZZ_SEED
give more or others; what was found once is kept in `found/`.
"""

import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from include.errors import Refused
from include.landing.records import file_format, landed_files
from include.pipeline import PROJECT
from include.settings import RunConfig
from include.spark.schemas import LANDED_COLUMNS
from spark_jobs.clean import cleaned_lines, orders
from tests.laws.fuzz import LINE_END, File, landing_file, physical_lines
from tests.tables import land, typed_files

FILES = int(os.environ.get("RFM_FUZZ_FILES", "2000"))
SEED = int(os.environ.get("RFM_FUZZ_SEED", "20101201"))
AT_ONCE = 250
FOUND = PROJECT / "tests" / "laws" / "found"


@pytest.mark.parametrize("first", range(0, FILES, AT_ONCE))
def test_damage_costs_its_own_lines_and_every_line_is_accounted_for(
    spark: SparkSession, config: RunConfig, tmp_path: Path, first: int
) -> None:
    numbers = range(first, min(first + AT_ONCE, FILES))
    files = [landing_file(Random(f"{SEED} {n}"), f"{n:06}.csv") for n in numbers]
    check(spark, config, tmp_path, files)


def test_what_was_found_once_stays_right(spark: SparkSession, config: RunConfig, tmp_path: Path) -> None:
    """Files of lines that were lost, or taken for what they are not, until their bug was mended."""
    found = [File(path.name, path.read_bytes()) for path in sorted(FOUND.glob("*.csv"))]
    lines = check(spark, config, tmp_path, found)
    assert {row["file"] for row in lines} == {file.name for file in found}
    assert all(row["file"].startswith(row["outcome"]) for row in lines)


def check(spark: SparkSession, config: RunConfig, folder: Path, given: list[File]) -> list[Any]:
    """The laws, on the given files; returns their lines."""
    files = {file.name: file for file in given}
    for file in given:
        land(folder, file.name, file.data)
    landed, _ = landed_files(folder)
    formats = []
    for path in landed:
        try:
            formats.append((path, file_format(path, config.settings.landing.columns)))
        except Refused as refused:  # a header with some of our columns
            assert str(refused).startswith(f"{path.name}: line "), refused
            assert not files[path.name].expected, (path.name, files[path.name].damage)
    typed, rows = typed_files(spark, config, formats, folder)
    cleaned = cleaned_lines(typed.where("outcome = 'kept'")).localCheckpoint()

    told = {path.name: f"{path.name} {files[path.name].damage}" for path, _ in formats}
    by_file: dict[str, list[Any]] = {name: [] for name in told}
    read = typed.orderBy("file", "line").collect()
    for row in read:
        by_file[row["file"]].append(row)
    for path, form in formats:
        found = by_file[path.name]
        assert len(found) == rows[path.name], told[path.name]
        assert all((row["reason"] is None) == (row["outcome"] == "kept") for row in found)
        if any(row["reason"] == "file_damaged" for row in found):
            continue  # its bytes cannot be unpacked to compare
        every_line_is_there_once(files[path.name], form.header_lines, found, told[path.name])

    kept: dict[str, Counter[Any]] = {name: Counter() for name in told}
    for row in cleaned.where("outcome = 'kept'").collect():
        kept[row["file"]][tuple(row[column] for column in LANDED_COLUMNS)] += 1
    missing = {told[name]: Counter(files[name].expected) - kept[name] for name in told}
    assert not {name: rows for name, rows in missing.items() if rows}

    assert cleaned.count() == sum(row["outcome"] == "kept" for row in read)
    counted = orders(cleaned.where("outcome = 'kept'")).agg(F.sum("lines")).collect()[0][0] or 0
    assert counted == sum(map(Counter.total, kept.values()))
    return read


def every_line_is_there_once(file: File, header_lines: int, found: list[Any], told: str) -> None:
    """The raw texts, each from its line on, are the file's lines; what is in none is blank."""
    lines = physical_lines(file)
    covered = set(range(1, header_lines + 1))
    for row in found:
        texts = LINE_END.split(row["raw"])
        numbers = range(row["line"], row["line"] + len(texts))
        assert texts == [lines[number - 1] for number in numbers], told
        assert not covered & set(numbers), told
        covered |= set(numbers)
    left = [text for number, text in enumerate(lines, 1) if number not in covered]
    assert not any(text.strip(" ") for text in left), (told, left)
