"""Python on the executors: the project's code for it, and why it could not run."""

import re
import shutil
from pathlib import Path

from pyspark.sql import SparkSession

from include.pipeline import PROJECT

# What Spark says of an executor's Python, and what we make of it.
UNFIT = {
    r"ModuleNotFoundError: No module named '([\w.]+)'": "an executor's Python has no module {}",
    r"Python in worker has different version: ([\d.]+) than that in driver: ([\d.]+)": (
        "an executor has Python {}, and the driver {}"
    ),
    r'Cannot run program "([^"]+)"': "an executor has no program {} to run Python with",
    # A Python that is too old for Spark fails before it compares versions.
    r"Error from python worker:[\s\S]*?\n *(\w+Error: .*)": (
        "an executor's Python cannot run Spark's code ({})"
    ),
}
CURE = (
    "give the executors the driver's version of Python and its packages: see 'Python on the executors' in "
    "include/docs/deploy.md"
)


def share_code(spark: SparkSession, folder: Path) -> None:
    """Send the code of this project to the executors of a cluster, which may not have it."""
    if not str(spark.sparkContext.master).startswith("local"):
        archive = shutil.make_archive(str(folder / "include"), "zip", PROJECT, "include")
        spark.sparkContext.addPyFile(archive)


def unfit_python(error: str) -> str | None:
    """Why an executor's Python could not run the tasks, and what to do; None for any other error."""
    for pattern, why in UNFIT.items():
        if found := re.search(pattern, error):
            return f"{why.format(*found.groups())}; {CURE}"
    return None
