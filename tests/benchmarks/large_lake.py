"""A lake of published snapshots with made customers, to measure the pages at a size that no shop here has.

A few snapshots are made, and each stands for many dates: its files are hard links. The customers of a version
are the same each time.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from include.lake.paths import Lake
from include.lake.record import RECORD, FileCounts, InputFile, PublishedConfig, RunRecord
from include.lake.state import StageRecord, state_text
from include.pipeline import TASKS
from include.published.files import ROWS_PER_GROUP, parquet_writer, write_small_csv
from include.published.tables import CUSTOMER_SEGMENTS, NOT_YET, REJECTS, SEGMENT_MOVEMENT, SEGMENT_SUMMARY
from include.settings import RunConfig

NEWEST = date(2026, 1, 1)
DISTINCT = 3  # snapshots that are made
REJECTED = 200_000  # lines in rejects.csv, as many as it may have
FIRST_ID, STEP = 10_000_000, 3  # of the ids
COUNTRIES = np.array(["United Kingdom", "Germany", "France", "EIRE", "Spain", "Netherlands", "Belgium"])
CUTS: Mapping[str, list[int]] = {
    "recency_days": [20, 50, 120, 250],
    "frequency": [1, 2, 4, 8],
    "monetary": [50, 150, 400, 1200],
}
MOST = {"recency_days": 700, "frequency": 60, "monetary": 20_000}
Numbers = npt.NDArray[np.int64]


def make_lake(root: Path, customers: int, snapshots: int, config: RunConfig) -> Lake:
    lake = Lake(root)
    made = [make_snapshot(root / f"made-{n}", n, customers, config) for n in range(DISTINCT)]
    for days in range(snapshots):
        link = lake.published(NEWEST - timedelta(days=days))
        version = link.parent / ".versions" / f"{link.name}.made"
        version.mkdir(parents=True)
        for file in made[days % DISTINCT].iterdir():
            os.link(file, version / file.name)
        record = run_record(NEWEST - timedelta(days=days), customers, config)
        (version / RECORD).write_text(state_text(record))
        link.symlink_to(version.relative_to(link.parent))
    lake.latest.symlink_to(f"as_of={NEWEST}")
    for folder in made:
        shutil.rmtree(folder)
    return lake


def customer_id(number: int) -> str:
    return str(FIRST_ID + STEP * number)


# -- a snapshot ---------------------------------------------------------------------------------


@dataclass
class Sums:
    """What the small files of a snapshot say of its customers."""

    customers: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    cents: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, rows: pa.Table) -> None:
        found = rows.group_by(["segment", "previous_segment"]).aggregate(
            [([], "count_all"), ("frequency", "sum"), ("monetary", "sum")]
        )
        for row in found.to_pylist():
            segment = row["segment"]
            self.customers[segment] += row["count_all"]
            self.orders[segment] += row["frequency_sum"]
            self.cents[segment] += int(row["monetary_sum"] * 100)
            self.moves[row["previous_segment"] or NOT_YET, segment] += row["count_all"]


def make_snapshot(folder: Path, version: int, customers: int, config: RunConfig) -> Path:
    """All files of a snapshot but its record."""
    folder.mkdir(parents=True)
    sums, names = Sums(), config.segment_map.names
    with parquet_writer(folder / "customer_segments.parquet", CUSTOMER_SEGMENTS.arrow_schema) as writer:
        for rows in customer_rows(version, customers, config):
            writer.write_table(rows, ROWS_PER_GROUP)
            sums.add(rows)
    summary = [summary_row(name, sums) for name in names]
    moves = [(*move, count) for move, count in sorted(sums.moves.items())]
    movement = [dict(zip(SEGMENT_MOVEMENT.names, move, strict=True)) for move in moves]
    write_small_csv(folder / "segment_summary.csv", SEGMENT_SUMMARY.names, summary)
    write_small_csv(folder / "segment_movement.csv", SEGMENT_MOVEMENT.names, movement)
    write_small_csv(folder / "rejects.csv", REJECTS.names, [rejected_line(n) for n in range(REJECTED)])
    (folder / "cut_points.json").write_text(json.dumps(CUTS))
    return folder


def summary_row(segment: str, sums: Sums) -> dict[str, object]:
    customers, revenue = sums.customers[segment], Decimal(sums.cents[segment]) / 100
    all_customers, all_revenue = sums.customers.total(), Decimal(sums.cents.total()) / 100
    return {
        "segment": segment,
        "customers": customers,
        "customer_share": f"{customers / all_customers:.4f}",
        "orders": sums.orders[segment],
        "revenue": revenue,
        "revenue_share": f"{revenue / all_revenue:.4f}",
        "avg_recency_days": "60.00",
        "avg_frequency": f"{sums.orders[segment] / max(customers, 1):.2f}",
        "avg_monetary": f"{revenue / max(customers, 1):.2f}",
        "median_monetary": f"{revenue / max(customers, 1):.2f}",
    }


def rejected_line(number: int) -> dict[str, object]:
    raw = f"{number},85123A,WHITE HANGING HEART,6,2025-06-01 10:00:00,2.55,,United Kingdom"
    file, line = f"orders-{number // 1000:03}.csv", number % 1000 + 2
    return {"stage": "clean", "file": file, "line": line, "reason": "missing_customer", "raw": raw}


def customer_rows(version: int, customers: int, config: RunConfig) -> Iterator[pa.Table]:
    """The customers by their ids, a row group at a time. In each version some are missing, and some have
    other scores than in the others."""
    by_code = config.segment_map.by_code
    segments = np.array(
        [by_code[f"{r}{f}{m}"] for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)]
    )
    for start in range(0, customers, ROWS_PER_GROUP):
        random, changed = np.random.default_rng(start), np.random.default_rng([start, version])
        size = min(ROWS_PER_GROUP, customers - start)
        before = random.integers(1, 6, (3, size))
        now = np.where(changed.random((3, size)) < 0.1, changed.integers(1, 6, (3, size)), before)
        values = dict(zip(CUTS, now, strict=True))
        rows = table_of(FIRST_ID + STEP * np.arange(start, start + size), values, changed)
        there = pa.array(changed.random(size) > 0.02)
        named = rows.append_column("segment", pa.array(segments[code_of(now)]))
        # Most have a segment of before; some are new.
        previous = pa.array(segments[code_of(before)], mask=random.random(size) < 0.01)
        yield (
            named.append_column("previous_segment", previous)
            .cast(CUSTOMER_SEGMENTS.arrow_schema)
            .filter(there)
        )


def code_of(scores: Numbers) -> Numbers:
    """The place of the three scores among the 125 codes."""
    found: Numbers = np.array([25, 5, 1]) @ (scores - 1)
    return found


def table_of(ids: Numbers, scores: Mapping[str, Numbers], random: np.random.Generator) -> pa.Table:
    """All columns up to the score."""
    as_of = (NEWEST - date(1970, 1, 1)).days
    recency, frequency, spent = (value_of(metric, number, random) for metric, number in scores.items())
    cents = spent * 100 + random.integers(0, 100, len(ids))
    r, f, m = scores.values()
    last = (as_of - recency).astype("int32")
    columns = {
        "as_of": pa.array(np.full(len(ids), as_of, "int32")).cast(pa.date32()),
        "customer_id": pa.array(ids).cast(pa.string()),
        "country": pa.array(COUNTRIES[np.minimum(random.geometric(0.5, len(ids)) - 1, len(COUNTRIES) - 1)]),
        "first_purchase_date": pa.array(last - (frequency - 1).astype("int32") * 9).cast(pa.date32()),
        "last_purchase_date": pa.array(last).cast(pa.date32()),
        "recency_days": pa.array(recency),
        "frequency": pa.array(frequency),
        "monetary": money(cents),
        "gross": money(cents + cents // 20),
        "returned": money(cents // 20),
        "avg_order_value": money(cents // frequency),
        "r_score": pa.array(r),
        "f_score": pa.array(f),
        "m_score": pa.array(m),
        "rfm_score": pa.array(r * 100 + f * 10 + m).cast(pa.string()),
    }
    return pa.table(columns)


def value_of(metric: str, score: Numbers, random: np.random.Generator) -> Numbers:
    """A value that has the score."""
    bounds = np.array([0, *CUTS[metric], MOST[metric]])
    place = 5 - score if metric == "recency_days" else score - 1
    return random.integers(bounds[place] + 1, bounds[place + 1] + 1)


def money(cents: Numbers) -> pa.Array:
    """Decimals with two places: 16 bytes each, the low ones first."""
    both = np.stack([cents, cents >> 63], axis=1)
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(both.tobytes())])


# -- its record ---------------------------------------------------------------------------------


def run_record(as_of: date, customers: int, config: RunConfig) -> RunRecord:
    """The record of a snapshot that is made of a year's daily files."""
    lines = 1000
    days = [as_of - timedelta(days=n) for n in range(1, 366)]
    files = {f"orders-{day}.csv": input_file(lines) for day in days}
    stage = StageRecord(
        rows_in=lines * len(files),
        rows_out=lines * len(files),
        rejects={},
        seconds=60.0,
        started=f"{as_of}T04:00:00+00:00",
        dag_run=f"scheduled__{as_of}",
        application_id=None,
    )
    return RunRecord(
        landing_version=1,
        attempt=1,
        stages=dict.fromkeys(TASKS, stage) | {"publish": stage.model_copy(update={"rows_out": customers})},
        as_of=as_of,
        variant=None,
        dag_run=stage.dag_run,
        published_at=f"{as_of}T04:05:00+00:00",
        config_hash=config.hash,
        fingerprint=config.fingerprint,
        config=PublishedConfig.model_validate(config.model_dump(mode="json")),
        input_files=files,
    )


def input_file(lines: int) -> InputFile:
    return InputFile(
        batch="000000000001",
        size=90 * lines,
        modified=0,
        rows=lines,
        kept=lines,
        rejects={},
        clean=FileCounts(kept=lines, rejects={}),
    )
