"""The Python of a job's driver starts without the archives that Spark puts on its path."""

import os
import subprocess
from pathlib import Path

from include.pipeline import PROJECT

DRIVER_PYTHON = PROJECT / "include" / "spark" / "driver_python"


def test_spark_s_own_folders_leave_the_path_and_others_stay_in_order(tmp_path: Path) -> None:
    folders = [f"{tmp_path}/python/lib/pyspark.zip", str(PROJECT), f"{tmp_path}/jars/spark.jar", "/a place"]
    environment = os.environ | {"SPARK_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(folders)}
    command = [
        str(DRIVER_PYTHON),
        "-c",
        "import os, sys; print(os.environ['PYTHONPATH'], *sys.argv[1:])",
        "a b",
    ]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert printed == f"{PROJECT}:/a place a b\n"
