"""Runs the programs that are compared: their time, their memory, each in the environment it would have."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psutil

from include.lake.paths import Lake
from include.orchestration.job_size import java_options
from include.pipeline import LONG_JOB_OPTIONS_VARIABLE, PROJECT, TASKS
from include.settings import Params, config_folder, load_config
from tests.benchmarks.process_tree import ProcessTree

AS_OF = {"online-retail": date(2011, 12, 10), "sample": date(2025, 12, 1)}
CONTENDERS = {  # the script, and its arguments after input and output
    "Spark in a notebook": ("with_spark.py", "cells"),
    "one Spark session": ("with_spark.py",),
    "Polars": ("with_polars.py",),
    "DuckDB": ("with_duckdb.py",),
    "pandas": ("with_pandas.py",),
}
OURS = "this pipeline"
BETWEEN_SAMPLES = 0.05  # seconds
MOST_MEMORY = int(psutil.virtual_memory().total * 0.85)
CONFIG = load_config(config_folder(), Params())
SAMPLE = PROJECT / "data" / "sample"
BENCH_PYTHON = PROJECT / ".cache" / "bench-venv" / "bin" / "python"


@dataclass
class Measured:
    seconds: float
    processor_seconds: float = 0
    peak_mib: int = 0
    failed: str = ""


def run(command: Sequence[object], environment: Mapping[str, str], log: Path) -> Measured:
    """Run a command to its end, or until it takes nearly all memory of the machine."""
    start, failed = time.monotonic(), ""
    with log.open("ab") as output:
        process = subprocess.Popen([*map(str, command)], env=environment, stdout=output, stderr=output)
        tree = ProcessTree(process.pid)
        while process.poll() is None:
            tree.sample()
            if tree.peak_bytes > MOST_MEMORY and not failed:
                failed = "out of memory"
                tree.kill()
            time.sleep(BETWEEN_SAMPLES)
    seconds = time.monotonic() - start
    if process.returncode and not failed:
        failed = f"exit code {process.returncode}, see {log}"
    return Measured(seconds, tree.processor_seconds, tree.peak_bytes >> 20, failed)


def spark_defaults() -> dict[str, str]:
    """The environment without the Makefile's settings for a fast start; the heap is the same."""
    ours = ("SPARK_SUBMIT_OPTS", "SPARK_LAUNCHER_OPTS", "SPARK_CONF_DIR", "SPARK_HOME")
    return {
        name: value for name, value in os.environ.items() if name not in (*ours, LONG_JOB_OPTIONS_VARIABLE)
    }


def job(task: str, lake: Path, as_of: date, log: Path, *, defaults: bool = False) -> Measured:
    """Submit one of our jobs as the operator does, or with Spark's defaults."""
    environment = spark_defaults() if defaults else dict(os.environ)
    if not defaults:
        environment |= java_options(task, Lake(lake), CONFIG.settings, os.environ)
    script = PROJECT / "spark_jobs" / f"{task}.py"
    command = ["spark-submit", "--master", "local[*]", script, "--lake", lake, "--as-of", as_of]
    return run(command, environment, log)


def five_jobs(lake: Path, as_of: date, log: Path, *, defaults: bool = False) -> dict[str, Measured]:
    stages = {task: job(task, lake, as_of, log, defaults=defaults) for task in TASKS}
    for task, measured in stages.items():
        assert not measured.failed, f"{task}: {measured.failed}"
    return stages


def contender(name: str, landing: Path, out: Path, as_of: date, segments: Path) -> Measured:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    file, *more = CONTENDERS[name]
    script = PROJECT / "tests" / "benchmarks" / "contenders" / file
    python = ["spark-submit", "--master", "local[*]"] if script.stem == "with_spark" else [BENCH_PYTHON]
    log = out.parent / f"{script.stem}.log"
    return run([*python, script, landing, out, as_of, segments, *more], spark_defaults(), log)


# -- data ---------------------------------------------------------------------------------------


def shop(times: int, folder: Path) -> Path:
    """The real data of RFM_REAL_DATA, or else the sample, at `times` its size; made once."""
    real = os.environ.get("RFM_REAL_DATA")
    source = Path(real) if real and Path(real).is_dir() else SAMPLE
    data = folder / f"{source.name}-x{times}"
    if not data.is_dir():
        making = folder / f".{data.name}"
        shutil.rmtree(making, ignore_errors=True)
        script = PROJECT / "tests" / "benchmarks" / "shop.py"
        subprocess.run([BENCH_PYTHON, script, source, making, str(times)], check=True)
        making.rename(data)
    return data


def as_of_date_of(data: Path) -> date:
    return AS_OF[data.name.rsplit("-x", 1)[0]]


def landed(lake: Path, files: Sequence[Path]) -> Path:
    """A new lake in which these files have landed (as hard links, which cost nothing)."""
    shutil.rmtree(lake, ignore_errors=True)
    (lake / "landing").mkdir(parents=True)
    land(lake, files)
    return lake


def land(lake: Path, files: Sequence[Path]) -> None:
    for file in files:
        os.link(file, lake / "landing" / file.name)


def copy_of(lake: Path, to: Path) -> Path:
    """A copy of the lake. The files of a lake never change, so both share them."""
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-al", lake, to], check=True)
    return to


def segments_file(folder: Path) -> Path:
    file = folder / "segments.json"
    file.write_text(json.dumps({"by_code": CONFIG.segment_map.by_code}))
    return file


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
