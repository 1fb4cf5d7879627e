"""Makes the class-data archive from which a job's JVM starts: .cache/spark.jsa, at set-up.

    python include/spark/class_archive.py ARCHIVE    with `java_options class_archive ARCHIVE` in
                                                     SPARK_SUBMIT_OPTS, as for any job

A job on a small shop spends most of its time loading Spark's classes. Java can store the classes that one
JVM has loaded for the start of others (JEP 350). Here that JVM runs all five jobs, one after the other, on a
small lake. An archive fits only the Java and the jars with which it was made; elsewhere Java starts without
it. It allows no folder with files in it on the class path, so SPARK_CONF_DIR must be an empty folder.
"""

import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

from include.pipeline import PROJECT, TASKS

AS_OF = "2011-12-10"
LANDED = 1_400_000_000  # after the dates of the lines, and long ago: ingest does not wait for it to settle
LINES = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE MUG,6,2011-12-01 08:26:00,2.55,17850.0,United Kingdom
536366,22633,"RED, MUG",6,2011-10-01 08:28:00,1.85,17851.0,Malta
C536367,D,Discount,-1,2011-12-02 09:41:00,27.50,17850.0,United Kingdom
536368,22960,TEA SET,6,2011-12-03 08:34:00,4.25,,United Kingdom
536369,21756,TEA SET,x,2011-12-03 08:35:00,4.25,17850,United Kingdom
"""


def run_all_jobs(lake: Path) -> None:
    """Run the mains of the five jobs in this process."""
    (lake / "landing").mkdir()
    landed = lake / "landing" / "shop.csv"
    landed.write_text(LINES)
    os.utime(landed, (LANDED, LANDED))
    arguments = ["--lake", str(lake), "--as-of", AS_OF, "--params", '{"export_cleaned_data": true}']
    for job in TASKS:
        runpy.run_path(str(PROJECT / "spark_jobs" / f"{job}.py"))["main"](arguments)


def main(archive: Path) -> int:
    """Submit this file to a JVM that writes the archive when it exits."""
    archive.unlink(missing_ok=True)
    options = os.environ["SPARK_SUBMIT_OPTS"].replace("-XX:SharedArchiveFile=", "-XX:ArchiveClassesAtExit=")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["spark-submit", "--master", "local[2]", __file__],
            env=os.environ
            | {
                "SPARK_SUBMIT_OPTS": options,
                "RFM_LAKE_TO_LEARN_FROM": folder,
                "PYTHONPATH": str(PROJECT),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode or not archive.exists():
        print(f"{done.stdout}{done.stderr}"[-2000:], file=sys.stderr)
        print("no class-data archive was made; jobs will start more slowly", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if learning := os.environ.get("RFM_LAKE_TO_LEARN_FROM"):
        run_all_jobs(Path(learning))
    else:
        sys.exit(main(Path(sys.argv[1]).absolute()))
