"""The figures of a snapshot that alerts compare with those of an earlier one, from a few small files."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from include.errors import OutdatedError
from include.lake.paths import Lake
from include.lake.record import InputFile, read_run_record
from include.published.snapshot import read_csv, read_customers, read_cut_points
from include.published.tables import SEGMENT_SUMMARY

# Snapshots further apart than this are not compared: over more than a week everything may change.
FARTHEST_DAYS = 7
MOST_NAMED = 100  # customers of a row group

N = TypeVar("N", int, Decimal)


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


def files_judged_before(lake: Lake) -> Mapping[str, InputFile]:
    """The landed files of the newest snapshot; none where it cannot be read."""
    try:
        return read_run_record(lake.latest.resolve()).input_files
    except OutdatedError:
        return {}


@dataclass(frozen=True)
class CustomerFigures:
    """The customers of a snapshot, as far as warnings look at them."""

    customers: int
    one_order: int  # customers with exactly one
    orders: int
    most_orders: tuple[str, int]  # the customer with the most of them
    gross: Decimal
    most_gross: tuple[str, Decimal]
    less_than_nothing: Mapping[str, Decimal]  # what customers returned, where that is negative; some of them
    days: Collection[date]  # on which some customer made his last purchase


def read_customer_figures(folder: Path) -> CustomerFigures:
    """The figures of the customers in a snapshot's folder. There is at least one customer.

    For the day before the as-of date `days` are all days with sales. For an earlier one there may have been
    sales of customers who all came again.
    """
    customers = one_order = orders = 0
    gross, days = Decimal(0), set[date]()
    most_orders, most_gross = ("", 0), ("", Decimal("-Infinity"))
    negative = dict[str, Decimal]()
    columns = ["customer_id", "frequency", "gross", "returned", "last_purchase_date"]
    for rows in read_customers(folder, columns):
        customers += rows.num_rows
        one_order += pc.sum(pc.equal(rows["frequency"], 1)).as_py() or 0
        orders += pc.sum(rows["frequency"]).as_py() or 0
        gross += pc.sum(rows["gross"]).as_py() or 0
        most_orders = max(most_orders, largest(rows, "frequency", most_orders), key=itemgetter(1))
        most_gross = max(most_gross, largest(rows, "gross", most_gross), key=itemgetter(1))
        days.update(rows["last_purchase_date"].unique().to_pylist())
        below = rows.filter(pc.less(rows["returned"], 0)).slice(0, MOST_NAMED)
        negative |= dict(zip(below["customer_id"].to_pylist(), below["returned"].to_pylist(), strict=True))
    return CustomerFigures(customers, one_order, orders, most_orders, gross, most_gross, negative, days)


def largest(rows: pa.Table, column: str, otherwise: tuple[str, N]) -> tuple[str, N]:
    """The customer with the largest value, and the value."""
    if not rows.num_rows:
        return otherwise
    value = pc.max(rows[column])
    return rows["customer_id"][pc.index(rows[column], value).as_py()].as_py(), value.as_py()
