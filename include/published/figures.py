"""The figures of a snapshot that alerts compare with those of an earlier one, from a few small files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from include.errors import OutdatedError
from include.lake.paths import Lake
from include.lake.record import InputFile, read_run_record
from include.published.snapshot import read_csv, read_customers, read_cut_points
from include.published.tables import SEGMENT_SUMMARY

# Snapshots further apart than this are not compared: over more than a week everything may change.
FARTHEST_DAYS = 7


@dataclass(frozen=True)
class Figures:
    as_of: date
    customers: Mapping[str, int]  # by segment
    cut_points: Mapping[str, list[Decimal]]  # by metric
    files: Mapping[str, InputFile]  # by name

    @property
    def all_customers(self) -> int:
        return sum(self.customers.values())


def read_figures(folder: Path, as_of: date, files: Mapping[str, InputFile]) -> Figures:
    """The figures of a snapshot that is made of these landed files."""
    rows = read_csv(folder / f"{SEGMENT_SUMMARY.name}.csv")
    customers = {row["segment"]: int(row["customers"]) for row in rows}
    return Figures(as_of, customers, read_cut_points(folder), files)


def earlier_figures(lake: Lake, as_of: date, variant: str | None, fingerprint: str) -> Figures | None:
    """The figures of the newest snapshot before a date, at most FARTHEST_DAYS, that was made with the same
    configuration. None where there is none."""
    for days in range(1, FARTHEST_DAYS + 1):
        day = as_of - timedelta(days=days)
        folder = lake.published(day, variant).resolve()  # a run may replace the snapshot while it is read
        try:
            record = read_run_record(folder)
            if record.fingerprint == fingerprint:
                return read_figures(folder, day, record.input_files)
        # Damage of another date is no reason to refuse this one: its own run reports it.
        except (OutdatedError, OSError, ValueError, KeyError, TypeError):
            continue
    return None


def days_with_sales(folder: Path) -> set[date]:
    """The days on which some customer of the snapshot made his last purchase.

    For the day before the as-of date these are all days with sales. For an earlier one there may have been
    sales of customers who all came again.
    """
    found = set[date]()
    for rows in read_customers(folder, ["last_purchase_date"]):
        found.update(rows["last_purchase_date"].unique().to_pylist())
    return found
