"""Landed files for the tests, and their lines as `ingest` reads them."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
from pyspark.sql import DataFrame, SparkSession

from include.landing.blocks import Block
from include.landing.evidence import Notation
from include.landing.files import LandedFile, identity, landed_files
from include.landing.formats import FormattedFile, formatted_files
from include.landing.line_values import ReadingRules
from include.landing.reader import typed_lines
from include.settings import RunConfig
from include.spark.conversion import write_typed_lines
from include.spark.lines import read_written
from include.spark.schemas import LINES

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
ENGLISH = Notation("month_first", "point")
LONG_AGO = 1_780_000_000  # May 2026, when files were landed: after their lines, and long enough to settle

LinesByFile = dict[str, list[dict[str, Any]]]
ReadFiles = Callable[..., DataFrame]  # of files, as bytes or as lines below the header


def line(**given: str) -> str:
    """A CSV line as the shop writes it, with the given fields instead of the usual ones."""
    values = {
        "invoice": "536365",
        "stock": "85123A",
        "text": "RED MUG",
        "quantity": "6",
        "date": "2010-12-01 08:26:00",
        "price": "2.55",
        "customer": "17850.0",
        "country": "United Kingdom",
    }
    assert given.keys() <= values.keys()
    return ",".join((values | given).values())


def csv_bytes(*lines: str, header: str = HEADER, end: str = "\n") -> bytes:
    return "".join(text + end for text in [header, *lines]).encode()


def land(folder: Path, name: str, data: bytes) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    os.utime(file, (LONG_AGO, LONG_AGO))
    return file


def read(config: RunConfig, landing: Path, notation: Notation = ENGLISH) -> LinesByFile:
    """The typed lines of each file below the landing folder, by line."""
    files = formatted(config, landing, notation)
    return by_file(files, typed_lines([whole(file) for file in files], ReadingRules.of(config.settings)))


def formatted(config: RunConfig, landing: Path, notation: Notation = ENGLISH) -> list[FormattedFile]:
    """The files below the landing folder, to be read with this notation."""
    files = formatted_files(landed_files(landing)[0], config.settings.landing.formats)
    return [in_notation(file, notation) for file in files]


def in_notation(file: FormattedFile, notation: Notation = ENGLISH) -> FormattedFile:
    return replace(file, format=replace(file.format, notation=notation))


def formatted_file(config: RunConfig, path: Path, notation: Notation = ENGLISH) -> FormattedFile:
    """A landed file of one part, to be read with this notation."""
    landed = LandedFile(path, path.name, *identity(path))
    (file,) = formatted_files([landed], config.settings.landing.formats)
    return in_notation(file, notation)


def by_file(files: Sequence[FormattedFile], parts: Iterable[pl.DataFrame]) -> LinesByFile:
    """The rows of each file, by line."""
    found: LinesByFile = {file.name: [] for file in files}
    for part in parts:
        for row in part.iter_rows(named=True):
            found[row["file"]].append(row)
    return {name: sorted(rows, key=itemgetter("line")) for name, rows in found.items()}


def whole(file: FormattedFile) -> Block:
    return Block(file, 0, file.part.size, 1)


def ingested(spark: SparkSession, config: RunConfig, landing: Path) -> tuple[DataFrame, dict[str, int]]:
    """All lines below the landing folder, typed; and how many there are of each file."""
    folder = landing / f".attempt-{uuid4().hex}" / "ingested"
    parts = write_typed_lines(spark, formatted(config, landing), config.settings, folder)
    rows = {part.file: sum(part.counts.values()) for part in parts}
    return read_written(spark, folder, LINES), rows


def column(lines: DataFrame, name: str) -> list[Any]:
    """The values of a column, in the order of the landed lines."""
    return [row[name] for row in lines.orderBy("file", "line").collect()]
