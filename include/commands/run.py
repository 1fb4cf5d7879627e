"""`make run`: land data, run the DAG once through Airflow, show the segments.

The folder DATA is mirrored to landing/<its name>/, so what is changed or removed there changes
the result; other folders of landing/ are left alone.
"""

import argparse
import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, track
from rich.table import Table

from include.as_of import as_of_date
from include.commands.sample import SAMPLE_AS_OF
from include.errors import UserError
from include.lake.paths import Lake
from include.landing.files import LandedFile, identity, is_csv, still_written
from include.settings import Params, config_folder, load_config, load_params

TASKS = ["ingest", "clean", "rfm", "segment", "publish"]
AIRFLOW = [sys.executable, "-m", "airflow"]
AIRFLOW_HOME = Path(os.environ.get("AIRFLOW_HOME", ".airflow"))
DONE = {"success", "failed", "upstream_failed", "skipped"}
FAILURE = re.compile(r"(?:AirflowFailException|AirflowException|RuntimeError|UserError): (.*)")

console = Console(highlight=False)


def csv_files(data: Path) -> list[Path]:
    """The files of a data folder. Raises UserError when there is nothing to land."""
    if not data.is_dir():
        wrong = "is a file" if data.exists() else "is missing"
        raise UserError(f"DATA: {data} {wrong}; give a folder of CSV files")
    if not (found := csv_files_below(data)):
        raise UserError(f"DATA: folder {data} has no .csv or .csv.gz file")
    return found


def csv_files_below(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if is_csv(path.name) and path.is_file()]


def land(data: Path, lake: Lake, settle_seconds: float) -> str:
    """Mirror the data folder to its place in landing/; returns what was done, in words. A file that is
    still being written stays as it was there. Raises UserError for a folder that is no place to land from."""
    data = data.resolve()
    place = (lake.landing / data.name).resolve()
    wanted = {path.relative_to(data): path for path in csv_files(data)}
    if place == data:
        return f"{len(wanted)} files are already in {place}"
    if data in place.parents:
        raise UserError(
            f"DATA: {data} holds the lake's own {place}, and would land in itself; give another LAKE"
        )
    landed = {path.relative_to(place): identity(path) for path in csv_files_below(place)}
    fresh = [name for name, path in wanted.items() if landed.get(name) != identity(path)]
    sources = [LandedFile(wanted[name], str(name), *identity(wanted[name])) for name in fresh]
    waits = still_written(sources, settle_seconds)
    fresh = [name for name in fresh if str(name) not in waits]
    for name in track(fresh, "landing", console=console, transient=True, disable=len(fresh) < 2):
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        shutil.copy2(wanted[name], part)
        part.replace(target)
    gone = landed.keys() - wanted.keys()
    for name in gone:
        (place / name).unlink()
    told = f"{len(fresh)} new or changed" + (f", {len(gone)} removed" if gone else "")
    waiting = "".join(f"\nwaits   {name} {why}; run it again" for name, why in waits.items())
    return f"{len(wanted)} files in {place} ({told}){waiting}"


def run_dag(conf: dict[str, Any], lake: Lake) -> int:
    """Run the DAG once through Airflow; 0, or the exit code to end with."""
    log = AIRFLOW_HOME / "logs" / f"make-run-{datetime.now(UTC):%Y%m%dT%H%M%S}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        env = os.environ | {"RFM_LAKE": str(lake.root)}
        if (migrated(env, output) or dag_tested(conf, env, output)) == 0:
            return 0
    told = FAILURE.findall(log.read_text(errors="replace"))
    console.print(f"[red]failed[/]  {escape(told[-1]) if told else 'see the log'}", soft_wrap=True)
    console.print(f"log     {escape(str(log))}", soft_wrap=True)
    return 1


def dag_tested(conf: dict[str, Any], env: Mapping[str, str], output: IO[str]) -> int:
    """Run the DAG with progress by task; the exit code. Ends when we are ended, with all it has started."""
    started = datetime.now(UTC) - timedelta(seconds=1)
    command = [*AIRFLOW, "dags", "test", "rfm_segmentation", "--conf", json.dumps(conf)]
    # In a process group of its own: Airflow would take Ctrl-C for the end of one task, and try it again.
    process = subprocess.Popen(command, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        show_progress(process, started)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode


def migrated(env: Mapping[str, str], output: IO[str]) -> int:
    """Make Airflow's database, or that of another version the one that is installed; the exit code."""
    installed, stamp = version("apache-airflow"), AIRFLOW_HOME / "airflow.db.version"
    if (AIRFLOW_HOME / "airflow.db").exists() and stamp.exists() and stamp.read_text() == installed:
        return 0
    with console.status("setting up Airflow's database"):
        done = subprocess.run([*AIRFLOW, "db", "migrate"], env=env, stdout=output, stderr=output, check=False)
    if done.returncode == 0:
        stamp.write_text(installed)
    return done.returncode


def show_progress(process: "subprocess.Popen[bytes]", started: datetime) -> None:
    columns = SpinnerColumn(finished_text=" "), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        lines: dict[str, TaskID] = {}
        while True:
            ended = process.poll() is not None
            for task, state in task_states(started):
                if task not in lines and state not in (None, "scheduled", "queued"):
                    lines[task] = progress.add_task(task, total=1)
                if task in lines and state in DONE:
                    word = "[green]done[/]" if state == "success" else f"[red]{state}[/]"
                    progress.update(lines[task], completed=1, description=f"{task:<8} {word}")
            if ended:
                return
            time.sleep(0.3)


def task_states(started: datetime) -> Iterator[tuple[str, str | None]]:
    """Task and state of the newest run since then, as Airflow's database has them."""
    query = """
        select task_id, state from task_instance where run_id = (
            select run_id from dag_run where dag_id = 'rfm_segmentation' and run_after >= ?
            order by id desc limit 1)
    """
    database = f"{(AIRFLOW_HOME / 'airflow.db').resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(database, uri=True, timeout=5)) as connection:
            states = dict(connection.execute(query, (started.strftime("%Y-%m-%d %H:%M:%S"),)).fetchall())
    except sqlite3.OperationalError:  # busy or not there yet: the next look will tell
        return
    yield from ((task, states[task]) for task in TASKS if task in states)


def show_snapshot(folder: Path, is_sample: bool) -> None:
    """The segment table, the rejects by reason, and where the files are."""
    record = json.loads((folder / "run.json").read_text())
    title = f"Customer segments as of {record['as_of']}"
    if is_sample:
        title += " (built-in SAMPLE, an invented shop)"
    if record["variant"]:
        title += f", {escape(record['variant'])}"
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
            f"{float(row['avg_recency_days']):.0f}" if row["avg_recency_days"] else "",
            f"{float(row['avg_frequency']):.1f}" if row["avg_frequency"] else "",
            money(row["median_monetary"]),
        )
    table.add_section()
    customers = sum(int(row["customers"]) for row in rows)
    table.add_row("all", f"{customers:,}", "", money(str(sum(Decimal(row["revenue"]) for row in rows))))
    console.print(table)
    console.print("days ago (of the last purchase) and orders are averages, spend is the median")

    stages = record["stages"]
    console.print(f"\n{stages['ingest']['rows_in']:,} lines landed, {stages['clean']['rows_out']:,} kept")
    for task in ("ingest", "clean"):
        for reason, count in stages[task]["rejects"].items():
            console.print(f"  {count:>9,}  rejected: {reason}")
    for name, why in stages["ingest"]["files_not_counted"].items():
        console.print(f"  not counted: {name} {why}", soft_wrap=True, markup=False)
    for name, file in record["input_files"].items():
        if not file["kept"]:
            what = "all its lines are rejected" if file["rows"] else "has no line"
            console.print(f"  look at: {name} {what}", soft_wrap=True, markup=False)
    console.print()
    for file in sorted(path for path in folder.iterdir()):
        console.print(f"  {escape(str(folder / file.name))}", soft_wrap=True)
    if newest := newest_purchase(folder):
        days = (date.fromisoformat(record["as_of"]) - newest).days
        if days > 60:
            console.print(
                f"\n[yellow]The newest purchase is of {newest}, {days:,} days before the as-of date. "
                f"For data of the past give AS_OF={newest + timedelta(days=1)}[/]",
                soft_wrap=True,
            )
    else:
        console.print(f"\n[yellow]Nothing that counts was bought before {record['as_of']}[/]")


def newest_purchase(folder: Path) -> date | None:
    dates = pq.read_table(folder / "customer_segments.parquet", columns=["last_purchase_date"])
    newest: date | None = pc.max(dates["last_purchase_date"]).as_py()
    return newest


def percent(share: str) -> str:
    return f"{float(share):.1%}" if share else ""


def money(amount: str) -> str:
    return f"{Decimal(amount):,.0f}" if amount else ""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of CSV files; default: the built-in sample")
    parser.add_argument("--as-of", default="", help="default: today; for the sample the day after its end")
    parser.add_argument("--lake", type=Path, help="default: lakes/<name of the data folder>")
    parser.add_argument("--params", default="", help='such as {"segment_map": "rf10"}')
    parser.add_argument("--sample", type=Path, required=True, help="where the sample is")
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        is_sample = args.data is None
        data = (args.sample if is_sample else args.data).resolve()
        lake = Lake((args.lake or Path("lakes") / data.name).absolute())
        params = load_params(args.params)
        if args.as_of and params.as_of and args.as_of != params.as_of.isoformat():
            raise UserError(f"as_of: AS_OF says {args.as_of} and PARAMS {params.as_of}; give one of them")
        day = args.as_of or str(params.as_of or (SAMPLE_AS_OF if is_sample else date.today()))  # noqa: DTZ011
        as_of = as_of_date(day)
        config = load_config(config_folder(), params)
        root = escape(str(lake.root))
        console.print(f"[bold]RFM segmentation[/] as of {as_of}, lake {root}", soft_wrap=True)
        landed = land(data, lake, config.settings.landing.settle_seconds)
        console.print(f"landed  {escape(landed)}", soft_wrap=True)
        code = run_dag(dag_conf(params, as_of), lake)
    except (UserError, OSError) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("make run: stopped", file=sys.stderr)
        return 130
    if code == 0:
        show_snapshot(lake.published(as_of, config.variant), is_sample)
    return code


def dag_conf(params: Params, as_of: date) -> dict[str, Any]:
    """The run's conf: the params given, the as-of date, and the export that a first look wants."""
    given = params.model_dump(mode="json", exclude_unset=True)
    return {"export_cleaned_data": True} | given | {"as_of": as_of.isoformat()}


if __name__ == "__main__":
    sys.exit(main())
