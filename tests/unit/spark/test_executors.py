"""What Spark 4.2 says of executors whose Python does not fit, copied from its logs."""

import pytest

from include.spark.executors import unfit_python

NO_PACKAGES = """\
An exception was thrown from the Python worker:
Traceback (most recent call last):
  File "pyspark.zip/pyspark/serializers.py", line 454, in loads
    return cloudpickle.loads(obj, encoding=encoding)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
ModuleNotFoundError: No module named 'pyarrow'
"""
OTHER_VERSION = """\
pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in worker has different \
version: 3.12 than that in driver: 3.11, PySpark cannot run with different minor versions.
Please check environment variables PYSPARK_PYTHON and PYSPARK_DRIVER_PYTHON are correctly set.
"""
NO_PYTHON = """\
Lost task 0.3 in stage 0.0 (TID 3) (127.0.0.1 executor 0): java.io.IOException: Cannot run program \
"python3": error=2, No such file or directory
"""
TOO_OLD = """\
Error from python worker:
  Traceback (most recent call last):
    File "pyspark.zip/pyspark/sql/types.py", line 557, in GeographyType
  TypeError: unsupported operand type(s) for |: 'type' and 'type'
PYTHONPATH was:
  pyspark.zip:py4j-0.10.9.9-src.zip
org.apache.spark.SparkException: EOFException occurred while reading the port number from pyspark.daemon's \
stdout.
"""
KILLED = """\
Error from python worker:
  Killed
PYTHONPATH was:
  pyspark.zip:py4j-0.10.9.9-src.zip
"""


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (NO_PACKAGES, "an executor's Python has no module pyarrow; "),
        (OTHER_VERSION, "an executor has Python 3.12, and the driver 3.11; "),
        (NO_PYTHON, "an executor has no program python3 to run Python with; "),
        (
            TOO_OLD,
            "an executor's Python cannot run Spark's code (TypeError: unsupported operand type(s) for |: "
            "'type' and 'type'); ",
        ),
    ],
)
def test_an_unfit_python_is_named_in_one_line_with_the_cure(error: str, why: str) -> None:
    found = unfit_python(error)
    assert found is not None
    assert found.startswith(why)
    assert found.endswith("see 'Python on the executors' in include/docs/deploy.md")


@pytest.mark.parametrize("error", [KILLED, "ValueError: a bug of ours", "OSError: No space left on device"])
def test_any_other_error_is_no_matter_of_the_executors_python(error: str) -> None:
    assert unfit_python(error) is None
