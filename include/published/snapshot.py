"""Reads a published snapshot without Spark: its summary, its movement, and how its customers are spread.

Report, pages and notebooks read snapshots by this module alone. A large table is read by row groups and by
the columns that are asked for, and never held whole.
"""

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from include.errors import OutdatedError
from include.published.files import original_value
from include.published.tables import CUSTOMER_SEGMENTS, SEGMENT_MOVEMENT, SEGMENT_SUMMARY
from include.settings import SegmentMap

CUT_POINTS = TypeAdapter(dict[str, list[Decimal]])
BINS_PER_DECADE = 8  # of monetary, which is spread over several powers of ten


@dataclass(frozen=True)
class Segment:
    """A segment of a snapshot. Averages and shares are None where they have no meaning."""

    rank: int  # from 0, the best
    name: str
    description: str
    customers: int
    customers_before: int  # as of the comparison date
    customer_share: float
    orders: int
    revenue: Decimal
    revenue_share: float | None
    recency_days: float | None  # average
    frequency: float | None  # average
    monetary: Decimal | None  # median


@dataclass(frozen=True)
class Move:
    """Customers who were in one segment as of the comparison date, and are in another now."""

    before: str
    now: str
    customers: int


@dataclass(frozen=True)
class Country:
    name: str  # empty: unknown
    customers: int
    revenue: Decimal


@dataclass(frozen=True)
class Spread:
    """How the customers of a snapshot are spread: numbers of customers by value."""

    recency_days: Counter[int]
    frequency: Counter[int]
    monetary: Counter[int]  # by bin, see `bin_start`
    recency_frequency: Counter[tuple[int, int]]  # by R and F score
    countries: list[Country]  # those with the most customers first


def bin_start(number: int) -> float:
    """The least amount of a bin of `Spread.monetary`."""
    return float(10 ** (number / BINS_PER_DECADE))


def read_segments(folder: Path, segment_map: SegmentMap) -> list[Segment]:
    """The segments by rank. Raises OutdatedError where a file is missing or damaged."""
    before = Counter[str]()
    for move in read_movement(folder):
        before[move.before] += move.customers
    ranks = {segment.name: rank for rank, segment in enumerate(segment_map.segments)}
    descriptions = {segment.name: segment.description for segment in segment_map.segments}
    rows = read_csv(folder / f"{SEGMENT_SUMMARY.name}.csv")
    return [
        Segment(
            rank=ranks.get(row["segment"], len(ranks)),
            name=row["segment"],
            description=descriptions.get(row["segment"], ""),
            customers=int(row["customers"]),
            customers_before=before[row["segment"]],
            customer_share=float(row["customer_share"] or 0),
            orders=int(row["orders"]),
            revenue=Decimal(row["revenue"]),
            revenue_share=number(row["revenue_share"]),
            recency_days=number(row["avg_recency_days"]),
            frequency=number(row["avg_frequency"]),
            monetary=Decimal(row["median_monetary"]) if row["median_monetary"] else None,
        )
        for row in rows
    ]


def read_movement(folder: Path) -> list[Move]:
    """The movement since the comparison date. Raises OutdatedError where the file is missing or damaged."""
    rows = read_csv(folder / f"{SEGMENT_MOVEMENT.name}.csv")
    return [Move(row["previous_segment"], row["segment"], int(row["customers"])) for row in rows]


def read_cut_points(folder: Path) -> dict[str, list[Decimal]]:
    """The four values of each metric at which a score ends. Raises OutdatedError as above."""
    file = folder / "cut_points.json"
    try:
        return CUT_POINTS.validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise missing(file) from error


def read_spread(folder: Path) -> Spread:
    """How the customers are spread. Raises OutdatedError where their table is missing or damaged."""
    recency, frequency, monetary = Counter[int](), Counter[int](), Counter[int]()
    scores, customers = Counter[tuple[int, int]](), Counter[str]()
    revenue = defaultdict[str, Decimal](Decimal)
    columns = ["recency_days", "frequency", "monetary", "r_score", "f_score", "country"]
    for rows in read_customers(folder, columns):
        recency.update(counts(rows, "recency_days"))
        frequency.update(counts(rows, "frequency"))
        binned = rows.append_column("bin", monetary_bins(rows["monetary"]))
        monetary.update(counts(binned, "bin"))
        for r, f, found in groups(rows, ["r_score", "f_score"], ([], "count_all")):
            scores[r, f] += found
        for country, found in groups(rows, ["country"], ([], "count_all")):
            customers[country or ""] += found
        for country, found in groups(rows, ["country"], ("monetary", "sum")):
            revenue[country or ""] += found
    countries = [Country(name, found, revenue[name]) for name, found in customers.most_common()]
    return Spread(recency, frequency, monetary, scores, countries)


def read_customers(folder: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Columns of the customers in pieces. Raises OutdatedError where their table is missing or damaged."""
    file = folder / f"{CUSTOMER_SEGMENTS.name}.parquet"
    try:
        with pq.ParquetFile(file) as table:
            for number in range(table.num_row_groups):  # iter_batches would read ahead, 170 MB at 5 million
                yield table.read_row_group(number, columns)
    except (OSError, pa.ArrowInvalid) as error:
        raise missing(file) from error


def monetary_bins(monetary: pa.ChunkedArray) -> pa.ChunkedArray:
    """The bin of each amount; all below 1 are in the first."""
    amounts = pc.max_element_wise(monetary.cast(pa.float64()), 1.0)
    return pc.floor(pc.multiply(pc.log10(amounts), BINS_PER_DECADE)).cast(pa.int64())


def counts(rows: pa.Table, column: str) -> Counter[int]:
    return Counter(dict(groups(rows, [column], ([], "count_all"))))


def groups(
    rows: pa.Table, keys: list[str], aggregate: tuple[str | list[str], str]
) -> Iterator[tuple[Any, ...]]:
    """For each group the values of its keys, then what the aggregation makes of it."""
    found = rows.group_by(keys).aggregate([aggregate])
    measure = next(name for name in found.column_names if name not in keys)
    return zip(*[found[name].to_pylist() for name in [*keys, measure]], strict=True)


def read_csv(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise missing(file) from error
    if any(None in row or None in row.values() for row in rows):  # more or fewer fields than columns
        raise missing(file)
    return [{name: original_value(text) for name, text in row.items()} for row in rows]


def number(text: str) -> float | None:
    return float(text) if text and not math.isnan(float(text)) else None


def missing(file: Path) -> OutdatedError:
    return OutdatedError(f"{file} is missing or damaged", clear_from="publish")
