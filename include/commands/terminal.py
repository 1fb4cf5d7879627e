"""The terminal of the commands: messages, progress, and a snapshot as tables."""

import csv
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from rich import box, progress
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from include.lake.record import RunRecord, read_run_record
from include.lake.state import all_warnings
from include.pipeline import REPORT

FINISHED = {"success", "failed", "upstream_failed", "skipped"}  # states that a task keeps

T = TypeVar("T")

console = Console(highlight=False)


# -- messages and progress ----------------------------------------------------------------------


def say(text: str) -> None:
    """Print a text as it is."""
    console.print(text, markup=False, emoji=False, soft_wrap=True)


def say_error(command: str, problem: object) -> None:
    print(f"{command}: {problem}", file=sys.stderr)


def track(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
    """The items. A person who watches sees a bar, which leaves nothing behind."""
    is_hidden = not console.is_terminal
    return progress.track(items, label, total=total, console=console, transient=True, disable=is_hidden)


def download_progress() -> Progress:
    """A bar of bytes for a person who watches. It leaves nothing behind."""
    columns = TextColumn("{task.description}"), progress.BarColumn(), progress.DownloadColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def show_progress(changes: Iterable[tuple[str, str]]) -> None:
    """Show a line for each task from its first change of state on: a spinner and the time it takes, then how
    it ended. Returns when there are no more changes."""
    columns = SpinnerColumn(finished_text=" "), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console) as display:
        lines: dict[str, TaskID] = {}
        for task, state in changes:
            if task not in lines:
                lines[task] = display.add_task(task, total=1)
            if state in FINISHED:
                word = "[green]done[/]" if state == "success" else f"[red]{state}[/]"
                display.update(lines[task], completed=1, description=f"{task:<8} {word}")


def show_failure(reason: str, log: Path) -> None:
    console.print(f"[red]failed[/]  {escape(reason)}", soft_wrap=True)
    console.print(f"log     {escape(str(log))}", soft_wrap=True)


# -- a snapshot ---------------------------------------------------------------------------------


def show_snapshot(folder: Path, *, is_sample: bool) -> None:
    """Show the segments, the lines that did not count, and where the files are."""
    record = read_run_record(folder)
    console.print(segment_table(folder, title(record, is_sample=is_sample)))
    console.print("days ago (of the last purchase) and orders are averages, spend is the median")
    show_counts(record)
    console.print()
    for file in sorted(folder.iterdir()):
        console.print(f"  {escape(str(folder / file.name))}", soft_wrap=True)
    show_warnings(record)
    if (report := folder / REPORT).exists():
        console.print(f"\nopen  {escape(str(report))}", soft_wrap=True)


def title(record: RunRecord, *, is_sample: bool) -> str:
    text = f"Customer segments as of {record.as_of}"
    if is_sample:
        text += " (built-in SAMPLE, an invented shop)"
    return f"{text}, {escape(record.variant)}" if record.variant else text


def segment_table(folder: Path, title: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        show_edge=False,
    )
    table.add_column("segment", no_wrap=True)
    for name in ("customers", "share", "revenue", "share", "days ago", "orders", "spend"):
        table.add_column(name, justify="right", no_wrap=True)
    with (folder / "segment_summary.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        table.add_row(
            escape(row["segment"]),
            f"{int(row['customers']):,}",
            percent(row["customer_share"]),
            money(row["revenue"]),
            percent(row["revenue_share"]),
            number(row["avg_recency_days"], decimals=0),
            number(row["avg_frequency"], decimals=1),
            money(row["median_monetary"]),
        )
    table.add_section()
    customers = sum(int(row["customers"]) for row in rows)
    table.add_row("all", f"{customers:,}", "", money(str(sum(Decimal(row["revenue"]) for row in rows))))
    return table


def show_counts(record: RunRecord) -> None:
    """Show how many lines were landed, kept and rejected, and which files did not count."""
    ingest, clean = record.stages["ingest"], record.stages["clean"]
    console.print(f"\n{ingest.rows_in:,} lines landed, {clean.rows_out:,} kept")
    for stage in (ingest, clean):
        for reason, count in stage.rejects.items():
            console.print(f"  {count:>9,}  rejected: {reason}")
    for name, reason in (ingest.files_not_counted or {}).items():
        say(f"  not counted: {name} {reason}")
    for name, lines in (ingest.files_gone or {}).items():
        say(f"  gone since the run before: {name} with {lines:,} lines that counted")
    for name, file in record.input_files.items():
        if not file.kept:
            say(f"  look at: {name} {'all its lines are rejected' if file.rows else 'has no line'}")


def show_warnings(record: RunRecord) -> None:
    """Show what somebody should look at though nothing failed."""
    if found := all_warnings(record.stages):
        console.print()
    for sentence in found:
        console.print(f"[yellow]warning[/]  {escape(sentence)}", soft_wrap=True)


def percent(share: str) -> str:
    return f"{float(share):.1%}" if share else ""


def number(value: str, *, decimals: int) -> str:
    return f"{float(value):.{decimals}f}" if value else ""


def money(amount: str) -> str:
    return f"{Decimal(amount):,.0f}" if amount else ""
