"""performance.md: the measurements as tables, between marks. The text around them is written by hand."""

import json
import re
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from include.pipeline import PROJECT, TASKS
from tests.benchmarks.measure import CONTENDERS, OURS

MEASURED = re.compile(r"<!-- measured -->.*<!-- /measured -->", re.DOTALL)
PAGE = PROJECT / "include" / "docs" / "performance.md"
DEFAULTS = "Spark's defaults"
NOT_MEASURED = "-"


class Key(NamedTuple):
    """A measurement, a size and a contender."""

    what: str
    size: int
    who: str = OURS


class Measurements:
    """The rows of results.json."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = {Key(row["what"], row["size"], row["who"]): row for row in rows}
        self.sizes = sorted({key.size for key in self.rows})

    def median_of(self, key: Key) -> float | None:
        row = self.rows.get(key)
        return median(row["seconds"]) if row and row["seconds"] else None

    def seconds(self, key: Key) -> str:
        seconds = self.median_of(key)
        return NOT_MEASURED if seconds is None else f"{seconds:.1f}"

    def seconds_with_range(self, key: Key) -> str:
        row = self.rows.get(key)
        if row is None:
            return NOT_MEASURED
        if row["failed"]:
            return str(row["failed"]).split(",")[0]
        fast, slow = min(row["seconds"]), max(row["seconds"])
        return f"**{median(row['seconds']):.1f}** ({fast:.1f}-{slow:.1f})"

    def processor_seconds(self, key: Key) -> str:
        row = self.rows.get(key)
        return f"{median(row['processor_seconds']):.1f}" if row and row["processor_seconds"] else NOT_MEASURED

    def memory(self, key: Key) -> str:
        row = self.rows.get(key)
        return f"{max(row['peak_mib']) / 1024:.1f} GiB" if row and row["peak_mib"] else NOT_MEASURED

    def share(self, part: Key, whole: Key) -> str:
        ours, theirs = self.median_of(part), self.median_of(whole)
        return f"{ours / theirs:.2f}" if ours and theirs else NOT_MEASURED

    def by_task(self, what: str, size: int, who: str = OURS) -> list[str]:
        """Seconds of each task and of the five together."""
        tasks = [self.seconds(Key(f"{what}: {task}", size, who)) for task in TASKS]
        return [*tasks, self.seconds_with_range(Key(what, size, who))]


def write(results: Path, page: Path) -> None:
    """Put the tables into a copy of the page."""
    found = json.loads(results.read_text())
    measurements = Measurements(found["rows"])
    parts = [
        machine(found["machine"]),
        start_up(measurements),
        full_load(measurements),
        shares(measurements),
        stages(measurements),
        through_the_scheduler(measurements),
        *reading(found.get("limits", [])),
        *scaling(found.get("scaling", [])),
        *pages(found.get("pages", {})),
    ]
    tables = "<!-- measured -->\n{}\n<!-- /measured -->".format("\n\n".join(parts))
    page.write_text(MEASURED.sub(lambda _: tables, PAGE.read_text()))


def machine(found: dict[str, Any]) -> str:
    return (
        f"Measured on {found['date']}: {found['cores']} cores, {found['memory_gib']} GiB, Java "
        f"{found['java']}, Python {found['python']}, a driver heap of {found['heap']}. Seconds are "
        f"medians, with the fastest and the slowest round in brackets; memory is the most that all "
        f"processes of a contender held at once."
    )


def start_up(found: Measurements) -> str:
    body = [[who, *found.by_task("daily increment", 1, who)] for who in (OURS, DEFAULTS)]
    return section(
        "Start-up: a daily run at 1x, five spark-submits", table(["", *TASKS, "five together"], body)
    )


def full_load(found: Measurements) -> str:
    of_size = [f"{size}x" for size in found.sizes]
    keys = {who: [Key("full load", n, who) for n in found.sizes] for who in (OURS, *CONTENDERS)}
    body = [
        [who, *map(found.seconds_with_range, of_who), *map(found.memory, of_who)]
        for who, of_who in keys.items()
    ]
    return section(
        "Full load: from CSV files to the published snapshot",
        table(["", *of_size, *[f"memory, {name}" for name in of_size]], body),
        "![full load by contender and size](performance-full-load.svg)",
    )


def shares(found: Measurements) -> str:
    increments = [Key("daily increment", n) for n in found.sizes]
    body = [
        [
            f"full load, of {who}",
            *[found.share(Key("full load", n), Key("full load", n, who)) for n in found.sizes],
        ]
        for who in CONTENDERS
    ]
    body.append(
        [
            "daily increment, of that at 1x",
            *[found.share(key, Key("daily increment", 1)) for key in increments],
        ]
    )
    body.append(
        [
            "daily increment, of the same with Spark's defaults",
            *[found.share(key, key._replace(who=DEFAULTS)) for key in increments],
        ]
    )
    return section(
        "The pipeline's time, as a share of each contender's",
        table(["", *[f"{size}x" for size in found.sizes]], body),
    )


def stages(found: Measurements) -> str:
    body = [
        [f"{what}, {n}x", *found.by_task(what, n), found.processor_seconds(Key(f"{what}: ingest", n))]
        for what in ("full load", "daily increment")
        for n in found.sizes
    ]
    return section(
        "This pipeline by stage",
        table(["", *TASKS, "five together", "ingest, processor"], body),
        "![one new day, and all days again](performance-increment.svg)",
    )


def through_the_scheduler(found: Measurements) -> str:
    body = []
    for what in ("full load", "daily increment"):
        of_run = [*TASKS, "between tasks"]
        parts = [found.seconds(Key(f"DAG run, {what}: {part}", 1)) for part in of_run]
        body.append([what, *parts, found.seconds(Key(f"DAG run, {what}", 1))])
    return section(
        "The whole DAG through Airflow's scheduler, at 1x",
        table(["", *TASKS, "between two tasks", "the run"], body),
    )


def reading(found: list[dict[str, Any]]) -> list[str]:
    """What `ingest` takes for many files and for a large one."""
    if not found:
        return []
    body = [
        [
            f"{row['what']}, {row['bytes'] / 1e6:,.0f} MB, {row['lines']:,} lines",
            f"{row['seconds']:.1f}",
            f"{row['processor_seconds']:.1f}",
            f"{row['peak_mib'] / 1024:.1f} GiB",
        ]
        for row in found
    ]
    head = ["ingest of", "seconds", "processor seconds", "memory"]
    return [section("Reading at its limits", table(head, body))]


def scaling(found: list[dict[str, Any]]) -> list[str]:
    """Processor seconds of each job's tasks by the number of executors, and the longest task."""
    if not found:
        return []
    executors = sorted({row["executors"] for row in found})
    at = {(row["task"], row["executors"]): row for row in found}
    body = [
        [task]
        + [f"{at[task, n]['processor']:.1f}" for n in executors]
        + [
            f"{at[task, n]['longest_task']:.1f} of {at[task, n]['its_stage']:.1f} ({at[task, n]['tasks']})"
            for n in executors
        ]
        for task in TASKS
    ]
    head = ["", *[f"{n} executor{'s' * (n > 1)}" for n in executors]]
    head += [f"longest task, {n}" for n in executors]
    text = (
        "Processor seconds of the threads of a job's tasks; then the longest task, of its stage's seconds "
        "(and tasks)."
    )
    title = f"On a standalone cluster of one-core executors, at {found[0]['size']}x"
    return [section(title, text, table(head, body))]


def pages(found: dict[str, Any]) -> list[str]:
    """Seconds of each kind of request, and the memory that it took beyond what the process held before."""
    if not found:
        return []
    body = [
        [
            row["what"],
            f"{row['first']:.2f}",
            f"**{median(row['later']):.2f}** ({min(row['later']):.2f}-{max(row['later']):.2f})",
            f"{row['peak_mib']} MiB",
        ]
        for row in found["requests"]
    ]
    text = (
        "Seconds from the request to the last byte of the answer: the first one of a new process, then later "
        "ones. The memory is the most that the process held at any time, beyond what it held before."
    )
    size = f"{found['snapshots']} snapshots of {found['customers'] / 1e6:g} million customers"
    head = ["", "the first", "later ones", "memory"]
    return [section(f"The pages, on {size}", text, table(head, body))]


def section(title: str, *parts: str) -> str:
    return "\n\n".join([f"### {title}", *parts])


def table(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
