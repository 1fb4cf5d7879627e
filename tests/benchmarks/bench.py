"""`make bench`: this pipeline compared with its alternatives, in one run on one machine.

    python -m tests.benchmarks.bench [--quick] [--sizes 1,20,100] [--rounds 5,3,2]

A size is a multiple of the real shop. In every round the contenders do the same work one after the other,
so that a slow minute of the machine affects all of them. A contender's time counts only once its result was
found equal to ours. Results are in .cache/bench/results.json after each measurement, and at the end as
tables and plots in include/docs/performance.md.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from include.pipeline import PROJECT, TASKS
from tests.benchmarks import report
from tests.benchmarks.equal import differences
from tests.benchmarks.large_lake import make_lake
from tests.benchmarks.limits import deal_out, ingest_of, joined
from tests.benchmarks.measure import (
    BENCH_PYTHON,
    CONFIG,
    CONTENDERS,
    OURS,
    Measured,
    as_of_date_of,
    contender,
    copy_of,
    five_jobs,
    land,
    landed,
    say,
    segments_file,
    shop,
)
from tests.benchmarks.pages import measure_pages
from tests.benchmarks.scaling import five_jobs_on
from tests.benchmarks.scheduled import dag_runs

FOLDER = PROJECT / ".cache" / "bench"
PLACES = ("lake", "history", "out", "airflow", "cluster", "limits", "pages")
EXECUTORS = (1, 2, 4)


class Results:
    """The measurements: seconds, processor seconds and peak memory of each round, by measurement, size and
    contender."""

    def __init__(self, file: Path) -> None:
        self.file, self.rows = file, list[dict[str, Any]]()
        self.scaling: list[dict[str, Any]] = []
        self.limits: list[dict[str, Any]] = []
        self.pages: dict[str, Any] = {}

    def add(self, what: str, size: int, who: str, measured: Measured) -> None:
        key: dict[str, Any] = {"what": what, "size": size, "who": who}
        row = next((row for row in self.rows if key.items() <= row.items()), None)
        if row is None:
            row = key | {"seconds": [], "processor_seconds": [], "peak_mib": [], "failed": ""}
            self.rows.append(row)
        if measured.failed:
            row["failed"] = measured.failed
        else:
            row["seconds"].append(round(measured.seconds, 2))
            row["processor_seconds"].append(round(measured.processor_seconds, 2))
            row["peak_mib"].append(measured.peak_mib)
        say(f"  {what}, {size}x, {who}: {measured.failed or f'{measured.seconds:.1f} s'}")
        self.save()

    def add_jobs(self, what: str, size: int, who: str, stages: dict[str, Measured]) -> None:
        for task, measured in stages.items():
            self.add(f"{what}: {task}", size, who, measured)
        total = sum(measured.seconds for measured in stages.values())
        processor = sum(measured.processor_seconds for measured in stages.values())
        peak = max(measured.peak_mib for measured in stages.values())
        self.add(what, size, who, Measured(total, processor, peak))

    def save(self) -> None:
        found = {
            "machine": machine(),
            "rows": self.rows,
            "scaling": self.scaling,
            "limits": self.limits,
            "pages": self.pages,
        }
        self.file.write_text(json.dumps(found, indent=1))


def machine() -> dict[str, Any]:
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "java": java.split('"')[1],
        "heap": os.environ["SPARK_DRIVER_MEMORY"],
    }


def full_load(results: Results, size: int, rounds: int) -> None:
    """From CSV files to the published snapshot. Leaves our lake of the last round."""
    data = shop(size, FOLDER)
    as_of, segments, log = as_of_date_of(data), segments_file(FOLDER), FOLDER / "jobs.log"
    for number in range(rounds):
        lake = landed(FOLDER / "lake", sorted(data.glob("*.csv")))
        results.add_jobs("full load", size, OURS, five_jobs(lake, as_of, log))
        for name in CONTENDERS:
            out = FOLDER / "out"
            measured = contender(name, data, out, as_of, segments)
            if not measured.failed and number == 0:
                wrong = differences(lake / "published" / f"as_of={as_of}", out)
                assert not wrong, f"{name} at {size}x has another result than ours: {wrong}"
            results.add("full load", size, name, measured)
            shutil.rmtree(out)


def daily_increments(results: Results, sizes: Sequence[int], rounds: int) -> None:
    """One new day on a lake with all history: at every size in turn, since they are compared with each other,
    and at the smallest with Spark's defaults as well."""
    days = {size: sorted(shop(size, FOLDER).glob("*.csv")) for size in sizes}
    as_of, log = as_of_date_of(shop(sizes[0], FOLDER)), FOLDER / "jobs.log"
    histories = {size: landed(FOLDER / "history" / f"{size}x", days[size][:-1]) for size in sizes}
    for history in histories.values():
        five_jobs(history, as_of, log)
    for _ in range(rounds):
        for size, who in [(sizes[0], "Spark's defaults"), *((size, OURS) for size in sizes)]:
            lake = copy_of(histories[size], FOLDER / "lake")
            land(lake, days[size][-1:])
            stages = five_jobs(lake, as_of, log, defaults=who != OURS)
            results.add_jobs("daily increment", size, who, stages)


def scaling_out(results: Results, size: int) -> None:
    """From CSV files to the published snapshot on a standalone cluster."""
    data = shop(size, FOLDER)
    files, as_of = sorted(data.glob("*.csv")), as_of_date_of(data)
    for executors in EXECUTORS:
        for task, found in five_jobs_on(executors, files, as_of, FOLDER / "cluster").items():
            results.scaling.append({"size": size, "executors": executors, "task": task} | found)
            say(f"  {size}x on {executors} executors: {task} {found['processor']:.1f} s of processor")
        results.save()


def through_the_scheduler(results: Results, size: int) -> None:
    data = shop(size, FOLDER)
    runs = dag_runs(FOLDER / "airflow", sorted(data.glob("*.csv")), as_of_date_of(data))
    for name, run in runs.items():
        results.add(f"DAG run, {name}", size, OURS, Measured(run["seconds"]))
        for task in TASKS:
            results.add(f"DAG run, {name}: {task}", size, OURS, Measured(run["tasks"][task]))
        results.add(f"DAG run, {name}: between tasks", size, OURS, Measured(run["between"]))


def reading_at_its_limits(results: Results, sizes: Sequence[int], small_files: int, large_bytes: int) -> None:
    """`ingest` of many small files, with the lines of the smallest shop, and of a large one."""
    folder = FOLDER / "limits"
    small = deal_out(shop(sizes[0], FOLDER), folder / "small", small_files)
    large = joined(shop(sizes[1], FOLDER), folder / "large", large_bytes)
    for what, data in ((f"{small_files:,} files", small), ("one file", large)):
        results.limits.append({"what": what} | ingest_of(data, folder))
        say(f"  ingest of {what}: {results.limits[-1]['seconds']:.1f} s")
        results.save()


def pages_at_size(results: Results, customers: int, snapshots: int) -> None:
    """The pages on made snapshots."""
    folder = FOLDER / "pages"
    say(f"  making {snapshots} snapshots of {customers:,} customers")
    lake = make_lake(folder / "lake", customers, snapshots, CONFIG)
    rows = list(measure_pages(lake, customers, folder))
    results.pages = {"customers": customers, "snapshots": snapshots, "requests": rows}
    results.save()


@contextmanager
def only_one() -> Iterator[None]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PLACES:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    yield
    for name in PLACES:
        shutil.rmtree(FOLDER / name, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, one round, no cluster: ten minutes"
    )
    parser.add_argument("--sizes", default="")
    parser.add_argument("--rounds", default="")
    args = parser.parse_args()
    sizes = [int(n) for n in (args.sizes or ("1,5" if args.quick else "1,20,100")).split(",")]
    rounds = [int(n) for n in (args.rounds or ("1,1" if args.quick else "5,3,2")).split(",")]
    with only_one():
        results = Results(FOLDER / "results.json")
        daily_increments(results, sizes, rounds[0])
        through_the_scheduler(results, sizes[0])
        reading_at_its_limits(results, sizes, *((1_000, 10**8) if args.quick else (10_000, 10**9)))
        pages_at_size(results, *((500_000, 40) if args.quick else (5_000_000, 400)))
        if not args.quick:  # it would take half of the ten minutes
            scaling_out(results, sizes[-1])
        for size, times in zip(sizes, rounds, strict=True):
            full_load(results, size, times)
    docs = FOLDER if args.quick else PROJECT / "include" / "docs"
    report.write(results.file, docs / "performance.md")
    subprocess.run([BENCH_PYTHON, PROJECT / "tests/benchmarks/plots.py", results.file, docs], check=True)
    print((docs / "performance.md").read_text())


if __name__ == "__main__":
    main()
