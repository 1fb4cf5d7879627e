"""Reads single customers and the customers of a segment from a snapshot.

The table is sorted by customer and has statistics, so a look-up reads one row group. What goes through the
whole table keeps only as many rows as it returns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.published.files import header, table_csv
from include.published.snapshot import missing, read_customers
from include.published.tables import CUSTOMER_SEGMENTS

PAGE_ROWS = 50
LAST_PAGE = 200  # what is before the shown page is held in memory; the CSV file has all
KEY = "customer_id"


@dataclass(frozen=True)
class CustomerRow:
    """A customer in a table: some columns of customer_segments.parquet."""

    customer_id: str
    country: str | None
    last_purchase_date: date
    recency_days: int
    frequency: int
    monetary: Decimal
    rfm_score: str
    segment: str
    previous_segment: str | None


@dataclass(frozen=True)
class Customer(CustomerRow):
    """A customer with all columns."""

    first_purchase_date: date
    gross: Decimal
    returned: Decimal
    avg_order_value: Decimal
    r_score: int
    f_score: int
    m_score: int


C = TypeVar("C", bound=CustomerRow)
ROW_COLUMNS = [field.name for field in fields(CustomerRow)]


@dataclass(frozen=True)
class Order:
    """By which column customers are sorted. Equal ones are by their ids."""

    column: str
    descending: bool

    def sort_keys(self, then: Sequence[str] = ()) -> list[tuple[str, str]]:
        """As Arrow has them; equal ones have the highest first in the columns `then`."""
        keys = {self.column: "descending" if self.descending else "ascending"}
        return list((dict.fromkeys([*keys, *then], "descending") | {KEY: "ascending"} | keys).items())


def find_customer(folder: Path, customer_id: str, model: type[C]) -> C | None:
    """A customer by id; None where the snapshot does not have it. Raises OutdatedError where the table is
    missing or damaged."""
    file = folder / f"{CUSTOMER_SEGMENTS.name}.parquet"
    columns = [field.name for field in fields(model)]
    try:
        with pq.ParquetFile(file) as table:
            for number in range(table.num_row_groups):
                if may_have(table, number, customer_id):
                    rows = table.read_row_group(number, columns, use_threads=False)
                    for row in rows.filter(pc.equal(rows[KEY], customer_id)).to_pylist():
                        return model(**row)
    except (OSError, pa.ArrowInvalid) as error:
        raise missing(file) from error
    return None


def may_have(table: pq.ParquetFile, row_group: int, customer_id: str) -> bool:
    """By its statistics: a row group may have this customer."""
    place = table.schema_arrow.get_field_index(KEY)
    found = table.metadata.row_group(row_group).column(place).statistics
    return found is None or not found.has_min_max or found.min <= customer_id <= found.max


def customers_of(folder: Path, segment: str, order: Order, page: int) -> list[CustomerRow]:
    """A page, from 1, of a segment's customers. Raises OutdatedError as above."""
    best = None
    for found in segment_rows(folder, segment, ROW_COLUMNS):
        both = pa.concat_tables([best, found]) if best else found
        best = both.take(pc.sort_indices(both, sort_keys=order.sort_keys())[: page * PAGE_ROWS])
    rows = best.slice((page - 1) * PAGE_ROWS).to_pylist() if best else []
    return [CustomerRow(**row) for row in rows]


def segment_csv(folder: Path, segment: str) -> Iterator[bytes]:
    """The customers of a segment as CSV text in pieces, with the columns of rfm_df.csv."""
    yield header(CUSTOMER_SEGMENTS.names)
    for rows in segment_rows(folder, segment, CUSTOMER_SEGMENTS.names):
        yield table_csv(rows)


def segment_rows(folder: Path, segment: str, columns: list[str]) -> Iterator[pa.Table]:
    for rows in read_customers(folder, columns):
        yield rows.filter(pc.equal(rows["segment"], segment))
