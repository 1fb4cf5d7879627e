"""performance.md: what was measured as tables, between marks; the text around them is written by hand."""

import json
import re
from pathlib import Path
from statistics import median
from typing import Any

from include.pipeline import PROJECT
from tests.benchmarks.measure import CONTENDERS, OURS, TASKS

MEASURED = re.compile(r"<!-- measured -->.*<!-- /measured -->", re.DOTALL)
PAGE = PROJECT / "include" / "docs" / "performance.md"
Rows = list[dict[str, Any]]


def write(results: Path, page: Path) -> None:
    """Put the tables into a copy of the page."""
    found = json.loads(results.read_text())
    text = measured(found["machine"], found["rows"]) + scaling(found.get("scaling", []))
    tables = f"<!-- measured -->\n{text}\n<!-- /measured -->"
    page.write_text(MEASURED.sub(lambda _: tables, PAGE.read_text()))


def measured(machine: dict[str, Any], rows: Rows) -> str:
    sizes = sorted({row["size"] for row in rows})
    of_size = [f"{size}x" for size in sizes]
    begin = (
        f"Measured on {machine['date']}: {machine['cores']} cores, {machine['memory_gib']} GiB, Java "
        f"{machine['java']}, Python {machine['python']}, a driver heap of {machine['heap']}. Seconds are "
        f"medians, with the fastest and the slowest round in brackets; memory is the most that all "
        f"processes of a contender held at once."
    )
    parts = [begin, "### Start-up: a daily run at 1x, five spark-submits"]
    parts.append(
        table(
            ["", *TASKS, "five together"],
            [
                [
                    who,
                    *[short(rows, f"daily increment: {task}", 1, who) for task in TASKS],
                    cell(rows, "daily increment", 1, who),
                ]
                for who in (OURS, "Spark's defaults")
            ],
        )
    )
    parts.append("### Full load: from CSV files to the published snapshot")
    load = [
        [
            who,
            *[cell(rows, "full load", n, who) for n in sizes],
            *[memory(rows, "full load", n, who) for n in sizes],
        ]
        for who in (OURS, *CONTENDERS)
    ]
    parts.append(table(["", *of_size, *[f"memory, {name}" for name in of_size]], load))
    parts.append("![full load by contender and size](performance-full-load.svg)")
    parts.append("### The pipeline's time, as a share of each contender's")
    parts.append(
        table(
            ["", *of_size],
            [
                *[
                    [
                        f"full load, of {who}",
                        *[share(rows, "full load", n, "full load", n, who) for n in sizes],
                    ]
                    for who in CONTENDERS
                ],
                ["daily increment, of that at 1x"]
                + [share(rows, "daily increment", n, "daily increment", 1, OURS) for n in sizes],
                ["daily increment, of the same with Spark's defaults"]
                + [
                    share(rows, "daily increment", n, "daily increment", n, "Spark's defaults") for n in sizes
                ],
            ],
        )
    )
    parts.append("### This pipeline by stage")
    parts.append(
        table(
            ["", *TASKS, "five together"],
            [
                [
                    f"{what}, {n}x",
                    *[short(rows, f"{what}: {task}", n, OURS) for task in TASKS],
                    cell(rows, what, n, OURS),
                ]
                for what in ("full load", "daily increment")
                for n in sizes
            ],
        )
    )
    parts.append("![one new day, and all days again](performance-increment.svg)")
    parts.append("### The whole DAG through Airflow's scheduler, at 1x")
    parts.append(
        table(
            ["", *TASKS, "between two tasks", "the run"],
            [
                [
                    what,
                    *[short(rows, f"DAG run, {what}: {task}", 1, OURS) for task in TASKS],
                    short(rows, f"DAG run, {what}: between tasks", 1, OURS),
                    short(rows, f"DAG run, {what}", 1, OURS),
                ]
                for what in ("full load", "daily increment")
            ],
        )
    )
    return "\n\n".join(parts)


def scaling(found: Rows) -> str:
    """Processor seconds of each job's tasks by the number of executors, and the longest task."""
    if not found:
        return ""
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
    return (
        f"\n\n### On a standalone cluster of one-core executors, at {found[0]['size']}x\n\n"
        "Processor seconds of the threads of a job's tasks; then the longest task, of its stage's seconds "
        "(and tasks).\n\n" + table(head, body)
    )


def share(rows: Rows, what: str, size: int, of: str, of_size: int, who: str) -> str:
    ours, theirs = row_of(rows, what, size, OURS), row_of(rows, of, of_size, who)
    if not ours or not theirs or not ours["seconds"] or not theirs["seconds"]:
        return "-"
    return f"{median(ours['seconds']) / median(theirs['seconds']):.2f}"


def table(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def row_of(rows: Rows, what: str, size: int, who: str) -> dict[str, Any] | None:
    return next((r for r in rows if (r["what"], r["size"], r["who"]) == (what, size, who)), None)


def short(rows: Rows, what: str, size: int, who: str) -> str:
    row = row_of(rows, what, size, who)
    return f"{median(row['seconds']):.1f}" if row and row["seconds"] else "-"


def cell(rows: Rows, what: str, size: int, who: str) -> str:
    row = row_of(rows, what, size, who)
    if row is None:
        return "-"
    if row["failed"]:
        return row["failed"].split(",")[0]
    fast, slow = min(row["seconds"]), max(row["seconds"])
    return f"**{median(row['seconds']):.1f}** ({fast:.1f}-{slow:.1f})"


def memory(rows: Rows, what: str, size: int, who: str) -> str:
    row = row_of(rows, what, size, who)
    return f"{max(row['peak_mib']) / 1024:.1f} GiB" if row and row["peak_mib"] else "-"
