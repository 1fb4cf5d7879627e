"""Whether a contender's result is ours: every customer, segment, cut point and reject."""

import csv
import json
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from include.spark.schemas import CUSTOMER_SEGMENTS


def differences(ours: Path, theirs: Path) -> list[str]:
    """What is not the same in our published folder and in what a contender wrote."""
    found = []
    if not customers(ours / "customer_segments.parquet").equals(
        customers(theirs / "customer_segments.parquet")
    ):
        found.append("customer_segments.parquet")
    for what in (movement, summary, cut_points):
        if what(ours) != what(theirs):
            found.append(what.__name__)
    stages = json.loads((ours / "run.json").read_text())["stages"]
    rejects = Counter(stages["ingest"]["rejects"]) + Counter(stages["clean"]["rejects"])
    if (stages["clean"]["rows_out"], dict(rejects)) != lines(theirs / "lines"):
        found.append("lines kept or rejected")
    return found


def customers(file: Path) -> pa.Table:
    kinds = {"int32": pa.int64(), "int16": pa.int64(), "large_string": pa.string()}
    table = ds.dataset(file).to_table(columns=CUSTOMER_SEGMENTS).sort_by("customer_id")
    columns = [
        pc.cast(table[name], plain_type(table.schema.field(name).type, kinds)) for name in CUSTOMER_SEGMENTS
    ]
    return pa.table([column.combine_chunks() for column in columns], CUSTOMER_SEGMENTS)


def plain_type(kind: pa.DataType, kinds: dict[str, pa.DataType]) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return kinds.get(str(kind).removesuffix("_view"), pa.string() if str(kind) == "string_view" else kind)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def movement(folder: Path) -> Any:
    return {
        (r["previous_segment"], r["segment"]): r["customers"] for r in rows(folder / "segment_movement.csv")
    }


def summary(folder: Path) -> Any:
    """Customers, orders, revenue and median of each segment that has customers."""
    return {
        r["segment"]: (
            int(r["customers"]),
            int(r["orders"]),
            pence(r["revenue"]),
            pence(r["median_monetary"]),
        )
        for r in rows(folder / "segment_summary.csv")
        if int(r["customers"])
    }


def pence(text: str) -> Decimal:
    """Some write binary fractions: 629.3100000000001."""
    return round(Decimal(text), 6).quantize(Decimal("0.01"), ROUND_HALF_UP)


def cut_points(folder: Path) -> Any:
    cuts = json.loads((folder / "cut_points.json").read_text())
    return [[Decimal(str(cut)) for cut in metric] for metric in cuts.values()]


def lines(folder: Path) -> tuple[int, dict[str, int]]:
    """How many lines were kept, and how many rejected by reason."""
    kept = ds.dataset(folder / "outcome=kept").count_rows()
    reasons: Counter[str] = Counter()
    for batch in ds.dataset(folder / "outcome=rejected").to_batches(columns=["reason"]):
        for count in batch.column("reason").value_counts().to_pylist():
            reasons[count["values"]] += count["counts"]
    return kept, dict(reasons)
