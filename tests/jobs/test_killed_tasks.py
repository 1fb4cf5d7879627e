"""Tasks of `ingest` that are killed while they write, and tried again by Spark."""

import json
import subprocess
from pathlib import Path

import polars as pl

from include.landing.line_files import write_blocks
from include.landing.line_values import ReadingRules
from include.pipeline import PROJECT
from include.settings import RunConfig
from tests.tables import csv_bytes, formatted, land, line, whole


def lines_in(folder: Path) -> pl.DataFrame:
    table = pl.concat(pl.read_parquet(file, hive_partitioning=False) for file in folder.rglob("*.parquet"))
    return table.sort("file", "line")


def test_killed_tasks_lose_no_line_and_count_none_twice(
    config: RunConfig, environment: dict[str, str], tmp_path: Path
) -> None:
    landing, folder = tmp_path / "landing", tmp_path / "ingested"
    land(landing, "large.csv", csv_bytes(*[line(), line(text='"A\nB"'), line(price="x")] * 300))
    for number in range(50):
        land(landing, f"small {number}.csv", csv_bytes(line(), line(customer="")))
    script = str(PROJECT / "tests" / "jobs" / "killed_tasks.py")
    done = subprocess.run(
        ["spark-submit", "--master", "local[2,3]", script, str(landing), str(folder)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    counts = json.loads(done.stdout)

    files = formatted(config, landing)
    undisturbed = write_blocks(
        [whole(file) for file in files], ReadingRules.of(config.settings), tmp_path, "x"
    )
    assert counts == {part.file: part.counts for part in undisturbed.parts}
    assert sum(counts["large.csv"].values()) == 900
    assert lines_in(folder).equals(
        lines_in(tmp_path / "outcome=kept")
        .vstack(lines_in(tmp_path / "outcome=rejected"))
        .sort("file", "line")
    )
    attempts = list((tmp_path / "ingested-attempts").rglob("*.parquet"))
    assert attempts, "the killed attempts have left their files, which nobody has named"
