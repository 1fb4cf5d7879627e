"""A snapshot that is small enough to count by hand, as its published files."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from include.lake.state import StageRecord
from include.published.files import write_small_csv
from include.published.tables import CUSTOMER_SEGMENTS, SEGMENT_MOVEMENT, SEGMENT_SUMMARY
from include.settings import RunConfig

AS_OF = date(2011, 12, 10)
HOSTILE = "<script>alert(1)</script>"  # the country of two customers
# Country, days since the last purchase, orders, spend, R and F score, segment.
CUSTOMERS = [
    ("EIRE", 1, 9, "1000.00", 5, 5, "Champions"),
    ("EIRE", 1, 4, "100.00", 5, 4, "Champions"),
    (HOSTILE, 40, 1, "10.00", 3, 1, "Promising"),
    (HOSTILE, 41, 1, "12.00", 3, 1, "Promising"),
    (None, 300, 1, "-5.00", 1, 1, "Lost"),
]
MOVES = [("Champions", "Champions", 1), ("Promising", "Champions", 1), ("Not yet a customer", "Promising", 2)]
CUTS = {
    "recency_days": [1, 1, 41, 300],
    "frequency": [1, 1, 4, 9],
    "monetary": ["-5.00", "10.00", "12.00", "100.00"],
}


def write_snapshot(folder: Path, config: RunConfig) -> Path:
    """The tables of the snapshot in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_customers(folder)
    write_summary(folder, config)
    columns = SEGMENT_MOVEMENT.names
    moves = [dict(zip(columns, move, strict=True)) for move in MOVES]
    write_small_csv(folder / "segment_movement.csv", columns, moves)
    (folder / "cut_points.json").write_text(json.dumps(CUTS))
    return folder


def write_customers(folder: Path) -> None:
    names = ("country", "recency_days", "frequency", "monetary", "r_score", "f_score", "segment")
    columns = dict(zip(names, map(list, zip(*CUSTOMERS, strict=True)), strict=True))
    columns["monetary"] = [Decimal(str(amount)) for amount in columns["monetary"]]
    types = CUSTOMER_SEGMENTS.arrow_schema
    arrays = {name: pa.array(columns[name], types.field(name).type) for name in names}
    pq.write_table(pa.table(arrays), folder / "customer_segments.parquet")


def write_summary(folder: Path, config: RunConfig) -> None:
    rows = []
    for name in config.segment_map.names:
        amounts = [Decimal(customer[3]) for customer in CUSTOMERS if customer[6] == name]
        row = dict.fromkeys(SEGMENT_SUMMARY.names, "") | {
            "segment": name,
            "customers": len(amounts),
            "customer_share": len(amounts) / len(CUSTOMERS),
            "orders": sum(customer[2] for customer in CUSTOMERS if customer[6] == name),
            "revenue": sum(amounts, Decimal(0)),
        }
        rows.append(row)
    write_small_csv(folder / "segment_summary.csv", SEGMENT_SUMMARY.names, rows)


def stages() -> dict[str, StageRecord]:
    """What the tasks did: ten landed lines, of which two are rejected."""
    common = {
        "seconds": 1.0,
        "started": "2011-12-10T04:00:00+00:00",
        "dag_run": "a run",
        "application_id": None,
    }
    return {
        "ingest": StageRecord(rows_in=10, rows_out=9, rejects={"quantity_unreadable": 1}, **common),
        "clean": StageRecord(rows_in=9, rows_out=8, rejects={"missing_customer": 1}, **common),
    }
