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

from include.published.tables import CUSTOMER_SEGMENTS


def differences(ours: Path, theirs: Path) -> list[str]:
    """The results that differ between our published folder and a contender's."""
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


COMPARED_AS = {"int32": pa.int64(), "int16": pa.int64(), "string": pa.string(), "large_string": pa.string()}


def customers(file: Path) -> pa.Table:
    names = CUSTOMER_SEGMENTS.names
    table = ds.dataset(file).to_table(columns=names).sort_by("customer_id")
    columns = [pc.cast(table[name], compared_type(table.schema.field(name).type)) for name in names]
    return pa.table([column.combine_chunks() for column in columns], names)


def compared_type(column: pa.DataType) -> pa.DataType:
    """One type for integers and one for texts, of which each contender has its own."""
    plain = column.value_type if pa.types.is_dictionary(column) else column
    return COMPARED_AS.get(str(plain).removesuffix("_view"), plain)


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
            rounded(r["revenue"]),
            rounded(r["median_monetary"]),
        )
        for r in rows(folder / "segment_summary.csv")
        if int(r["customers"])
    }


def rounded(text: str) -> Decimal:
    """Money with two decimals: some contenders write binary fractions, such as 629.3100000000001."""
    return round(Decimal(text), 6).quantize(Decimal("0.01"), ROUND_HALF_UP)


def cut_points(folder: Path) -> Any:
    cuts = json.loads((folder / "cut_points.json").read_text())
    return [[Decimal(str(cut)) for cut in metric] for metric in cuts.values()]


def lines(folder: Path) -> tuple[int, dict[str, int]]:
    """The numbers of lines that were kept, and that were rejected by reason."""
    kept = ds.dataset(folder / "outcome=kept").count_rows()
    reasons: Counter[str] = Counter()
    for batch in ds.dataset(folder / "outcome=rejected").to_batches(columns=["reason"]):
        for count in batch.column("reason").value_counts().to_pylist():
            reasons[count["values"]] += count["counts"]
    return kept, dict(reasons)
