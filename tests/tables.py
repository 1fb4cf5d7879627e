"""Landed files for the tests, and their lines as the functions of ingest read them."""

import os
from functools import reduce
from pathlib import Path
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from include.landing.records import Format, LandedFile, file_format, landed_files
from include.settings import RunConfig
from include.spark.schemas import LINES
from spark_jobs.ingest import written_batches

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
LONG_AGO = 1_000_000_000  # when files were landed, so that no job waits for them to settle


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
    rules = config.settings.landing
    files, _ = landed_files(landing)
    return typed_files(spark, config, [(file, file_format(file, rules.columns)) for file in files], landing)


def typed_files(
    spark: SparkSession, config: RunConfig, files: list[tuple[LandedFile, Format]], folder: Path
) -> tuple[DataFrame, dict[str, int]]:
    """The same of these files."""
    attempt = folder / f".attempt-{uuid4().hex}"
    attempt.mkdir()
    batches = written_batches(spark, files, config.settings, attempt)
    tables = [
        spark.read.schema(LINES).parquet(str(batch.folder)).where(F.col("file").isin([*batch.counts]))
        for batch in batches
    ]
    rows = {name: sum(of_file.values()) for batch in batches for name, of_file in batch.counts.items()}
    return reduce(DataFrame.unionByName, tables), rows
