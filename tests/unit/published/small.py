"""A snapshot that is small enough to count by hand, as its published files."""

import json
from datetime import date, timedelta
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
FORMULA = "=cmd|'/c calc'!A1"  # the id of a customer
# Id, country, days since the last purchase, orders, spend, score, segment.
CUSTOMERS = [
    ("12347", "EIRE", 1, 9, "1000.00", "555", "Champions"),
    ("12348", "EIRE", 1, 4, "100.00", "544", "Champions"),
    ("12349", HOSTILE, 40, 1, "10.00", "313", "Promising"),
    ("12350", None, 300, 1, "-5.00", "111", "Lost"),
    (FORMULA, HOSTILE, 41, 1, "12.00", "313", "Promising"),
]
MOVES = [("Champions", "Champions", 1), ("Promising", "Champions", 1), ("Not yet a customer", "Promising", 2)]
CUTS = {
    "recency_days": [1, 1, 41, 41],
    "frequency": [1, 1, 1, 4],
    "monetary": ["-5.00", "-5.00", "12.00", "100.00"],
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
    rows = [customer_row(*customer) for customer in sorted(CUSTOMERS)]
    pq.write_table(
        pa.Table.from_pylist(rows, CUSTOMER_SEGMENTS.arrow_schema), folder / "customer_segments.parquet"
    )


def customer_row(
    customer_id: str, country: str | None, days: int, orders: int, spent: str, score: str, segment: str
) -> dict[str, object]:
    monetary, last = Decimal(spent), AS_OF - timedelta(days=days)
    r, f, m = map(int, score)
    return {
        "as_of": AS_OF,
        "customer_id": customer_id,
        "country": country,
        "first_purchase_date": last - timedelta(days=orders - 1),
        "last_purchase_date": last,
        "recency_days": days,
        "frequency": orders,
        "monetary": monetary,
        "gross": monetary + 20,
        "returned": Decimal("20.00"),
        "avg_order_value": (monetary / orders).quantize(Decimal("0.01")),
        "r_score": r,
        "f_score": f,
        "m_score": m,
        "rfm_score": score,
        "segment": segment,
        "previous_segment": None,
    }


def write_summary(folder: Path, config: RunConfig) -> None:
    rows = []
    for name in config.segment_map.names:
        amounts = [Decimal(customer[4]) for customer in CUSTOMERS if customer[6] == name]
        row = dict.fromkeys(SEGMENT_SUMMARY.names, "") | {
            "segment": name,
            "customers": len(amounts),
            "customer_share": len(amounts) / len(CUSTOMERS),
            "orders": sum(customer[3] for customer in CUSTOMERS if customer[6] == name),
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
