"""Landed files as the functions of ingest read them."""

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from include.settings import RunConfig
from tests import tables
from tests.tables import ReadFiles, csv_bytes, land


@pytest.fixture
def ingested(spark: SparkSession, config: RunConfig, tmp_path: Path) -> ReadFiles:
    """Land files, given as bytes or as lines, as 0.csv, 1.csv and so on; returns their typed lines."""

    def read(*files: bytes | list[str]) -> DataFrame:
        for number, content in enumerate(files):
            land(tmp_path, f"{number}.csv", content if isinstance(content, bytes) else csv_bytes(*content))
        return tables.ingested(spark, config, tmp_path)[0]

    return read
