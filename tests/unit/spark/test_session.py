"""The Spark session of a job starts without pandas."""

import subprocess
import sys

from include.pipeline import PROJECT

WITHOUT_PANDAS = """
import sys
from include.spark.session import spare_pandas
from pyspark.sql.types import NumpyArrayConverter

spare_pandas()
assert not NumpyArrayConverter().can_convert("no array")
assert "pandas" not in sys.modules, "loaded by PySpark, for the time of a query in each job"

import pyarrow

assert pyarrow.array([1]).to_pylist() == [1]
"""


def test_pyspark_does_not_load_pandas_for_a_job_and_other_modules_may() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANDAS], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
