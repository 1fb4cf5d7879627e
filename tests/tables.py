"""Landed files for the tests, and their lines as the functions of ingest read them."""

import os
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from include.landing.files import landed_files
from include.settings import RunConfig
from include.spark.conversion import formatted_files, write_typed_lines
from include.spark.lines import read_written
from include.spark.schemas import LINES
from include.spark.text_files import FormattedFile
from spark_jobs.ingest import typing_rules

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
LONG_AGO = 1_000_000_000  # when files were landed, so that no job waits for them to settle

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


def ingested(spark: SparkSession, config: RunConfig, landing: Path) -> tuple[DataFrame, dict[str, int]]:
    """All lines below the landing folder, typed; and how many there are of each file."""
    files, _ = landed_files(landing)
    return typed_files(spark, config, formatted_files(files, config.settings), landing)


def typed_files(
    spark: SparkSession, config: RunConfig, files: Sequence[FormattedFile], folder: Path
) -> tuple[DataFrame, dict[str, int]]:
    """The same of these files, written below the folder."""
    attempt = folder / f".attempt-{uuid4().hex}"
    attempt.mkdir()
    written = write_typed_lines(spark, files, typing_rules(config.settings), attempt)
    tables = [
        read_written(spark, part.folder, LINES).where(F.col("file").isin([*part.counts])) for part in written
    ]
    rows = {name: sum(counts.values()) for part in written for name, counts in part.counts.items()}
    return reduce(DataFrame.unionByName, tables), rows


def column(lines: DataFrame, name: str) -> list[Any]:
    """The values of a column, in the order of the landed lines."""
    return [row[name] for row in lines.orderBy("file", "line").collect()]
