"""Segments and cut points of many snapshots, from their small files alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from include.published.snapshot import number, read_csv, read_cut_points
from include.published.tables import SEGMENT_SUMMARY


@dataclass(frozen=True)
class SegmentThen:
    """A segment as of a date."""

    segment: str
    customers: int
    customer_share: float
    revenue: Decimal
    revenue_share: float | None


@dataclass(frozen=True)
class Then:
    """A snapshot among others."""

    as_of: date
    segments: Mapping[str, SegmentThen]
    cut_points: Mapping[str, Sequence[Decimal]]

    @property
    def customers(self) -> int:
        return sum(segment.customers for segment in self.segments.values())

    @property
    def revenue(self) -> Decimal:
        return sum((segment.revenue for segment in self.segments.values()), Decimal(0))


@lru_cache(maxsize=2000)  # a version of a snapshot never changes
def read_then(folder: Path, as_of: date) -> Then:
    """A snapshot by its folder. Raises OutdatedError where a file is missing or damaged."""
    segments = [
        SegmentThen(
            segment=row["segment"],
            customers=int(row["customers"]),
            customer_share=float(row["customer_share"] or 0),
            revenue=Decimal(row["revenue"]),
            revenue_share=number(row["revenue_share"]),
        )
        for row in read_csv(folder / f"{SEGMENT_SUMMARY.name}.csv")
    ]
    return Then(as_of, {segment.segment: segment for segment in segments}, read_cut_points(folder))
