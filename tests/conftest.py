"""One Spark session for all tests of functions; the real data where they are."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from include.pipeline import PROJECT
from include.settings import Params, RunConfig, load_config
from include.spark.job import SEMANTICS

os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
logging.getLogger("py4j").setLevel(logging.WARNING)  # else it talks to a closed stream at the end


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    builder = SparkSession.builder.master("local[2]").appName("tests")
    sizes = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.log.level": "ERROR"}
    for key, value in (SEMANTICS | sizes).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = Path(os.environ.get("RFM_REAL_DATA", PROJECT.parent / "shared" / "data" / "online-retail"))
    if not folder.is_dir():
        pytest.skip(f"the Online Retail data are not at {folder}; set RFM_REAL_DATA to test on them")
    return folder


@pytest.fixture(scope="session")
def config() -> RunConfig:
    return load_config(PROJECT / "include" / "config", Params())
