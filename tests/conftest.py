"""One Spark session for all tests of functions, the configuration, and the real data where they are."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from include.pipeline import PROJECT
from include.settings import Params, RunConfig, load_config
from include.spark.session import SEMANTICS

os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
logging.getLogger("py4j").setLevel(logging.WARNING)  # else it writes to a closed stream at the end


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
    folder = os.environ.get("RFM_REAL_DATA")
    if not folder:
        pytest.skip("no Online Retail data: set RFM_REAL_DATA to their folder")
    assert Path(folder).is_dir(), f"RFM_REAL_DATA: {folder} is not a folder"
    return Path(folder)


@pytest.fixture(scope="session")
def config() -> RunConfig:
    return load_config(PROJECT / "include" / "config", Params())
