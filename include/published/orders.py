"""Reads a customer's orders, which are in the lake and not in the snapshot.

They are those that the snapshot counts, for as long as the lake has them: made with its settings, from its
landed files as they were then, and within its dates.

The orders are in no order and without statistics. So a look-up goes through the customer ids of all of them,
about 10 million a second, and reads the other columns only where it has found the customer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from include.errors import InputError, OutdatedError
from include.lake.manifest import BatchedFiles, CleanedManifest, FileEntry, read_manifest
from include.lake.paths import Lake, batch_folder
from include.lake.record import InputFile, RunRecord
from include.landing.line_types import PURCHASE
from include.published.customers import KEY
from include.settings import RunConfig

GROUP = ["order_date", "invoice_no", "line_type"]
SUMS = ["lines", "amount"]
CENT = Decimal("0.01")
COLUMNS = ["file", KEY, *GROUP, *SUMS]  # as they are on disk: include/spark/schemas.py
ROWS_AT_A_TIME = 64 * 1024
MOST_ROWS = 20_000  # of one customer; an id with more is a till or a guest, and no customer


@dataclass(frozen=True)
class CustomerOrder:
    """What an invoice of one day adds up to; cancellations are negative."""

    order_date: date
    invoice_no: str
    line_type: str
    lines: int
    amount: Decimal  # exact

    @property
    def money(self) -> Decimal:
        """The amount as people see it, rounded as in all published tables."""
        return self.amount.quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Part:
    """A Parquet file, and the landed files of which its orders count: those of a replaced file stay in the
    batch of its earlier version."""

    path: Path
    files: Sequence[str]


@dataclass(frozen=True)
class OrdersBehind:
    """Where the orders of a snapshot are."""

    parts: Sequence[Part]
    changed: Sequence[str]  # landed files of the snapshot that are gone, or were replaced since
    first_day: date | None
    before: date

    @property
    def size_bytes(self) -> int:
        return sum(part.path.stat().st_size for part in self.parts)


def orders_behind(lake: Lake, record: RunRecord) -> OrdersBehind:
    """Where the orders of a snapshot are. Raises OutdatedError where the lake no longer has them."""
    settings = settings_of(record).settings
    cleaned = read_manifest(lake.cleaned(settings.clean_fingerprint), CleanedManifest)
    if cleaned is None:
        raise gone("the lake has no orders that were made with the settings of this snapshot")
    counted = [name for name, file in record.input_files.items() if is_unchanged(name, file, cleaned)]
    stage, orders = lake.orders(settings.clean_fingerprint), cleaned.orders.of(counted)
    if lost := sorted(orders.lost_batches(stage)):
        raise gone(f"{batch_folder(stage, lost[0])} is gone")
    days = settings.lookback_days
    return OrdersBehind(
        parts=parts_of(stage, orders),
        changed=sorted(record.input_files.keys() - set(counted)),
        first_day=record.as_of - timedelta(days=days) if days else None,
        before=record.as_of,
    )


def settings_of(record: RunRecord) -> RunConfig:
    """The configuration of a snapshot. Raises OutdatedError where this code would make other orders of it."""
    try:
        config = RunConfig.model_validate(record.config.model_dump(mode="json"))
    except ValidationError:
        config = None
    if config is None or config.fingerprint != record.fingerprint:
        raise gone("an earlier version of the pipeline made this snapshot")
    return config


def is_unchanged(name: str, file: InputFile, cleaned: CleanedManifest) -> bool:
    """The orders of a landed file are still those that the snapshot counts."""
    now = cleaned.files.get(name)
    return (
        now is not None
        and name in cleaned.orders.files
        and cleaned.ingested.files[name].identity == file.identity
        and (now.kept, now.rejects) == (file.clean.kept, file.clean.rejects)
    )


def parts_of(stage: Path, orders: BatchedFiles[FileEntry]) -> list[Part]:
    return [
        Part(path, list(orders.in_batches({batch}).files))
        for batch in sorted(orders.batches)
        for path in sorted(batch_folder(stage, batch).glob("*.parquet"))
    ]


def gone(problem: str) -> OutdatedError:
    return OutdatedError(problem, clear_from="ingest")


# -- purchases ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class PurchaseDays:
    """The first and the last day with a purchase, and an invoice of the first."""

    first: date
    last: date
    invoice_no: str
    file: str


def purchase_days(stage: Path, orders: BatchedFiles[FileEntry]) -> PurchaseDays | None:
    """The days of the purchases among all orders; None without a purchase. Raises OutdatedError where
    orders are gone."""
    found = list[pa.Table]()
    for part in parts_of(stage, orders):
        try:
            rows = pq.read_table(part.path, columns=["file", "invoice_no", "order_date", "line_type"])
        except (OSError, pa.ArrowInvalid) as error:
            raise gone(f"{part.path} is missing or damaged") from error
        is_purchase = pc.equal(rows["line_type"], PURCHASE)
        found.append(
            rows.filter(pc.and_(is_purchase, pc.is_in(rows["file"], pa.array(part.files, pa.string()))))
        )
    purchases = pa.concat_tables(found) if found else None
    if not purchases:
        return None
    days = pc.min_max(purchases["order_date"]).as_py()
    of_first_day = purchases.filter(pc.equal(purchases["order_date"], days["min"]))
    first = (
        of_first_day.sort_by([("file", "ascending"), ("invoice_no", "ascending")]).slice(0, 1).to_pylist()[0]
    )
    return PurchaseDays(days["min"], days["max"], first["invoice_no"], first["file"])


# -- one customer -------------------------------------------------------------------------------


def orders_of(customer_id: str, behind: OrdersBehind) -> list[CustomerOrder]:
    """The orders of a customer, the newest first. Raises InputError where they are too many to be listed."""
    found = list[pa.Table]()
    for part in behind.parts:
        try:
            with pq.ParquetFile(part.path) as table:
                found += [counted(rows, part, behind) for rows in rows_of(customer_id, table)]
        except (OSError, pa.ArrowInvalid) as error:
            raise gone(f"{part.path} is missing or damaged") from error
        if sum(rows.num_rows for rows in found) > MOST_ROWS:
            raise InputError(f"these are more than {MOST_ROWS:,} orders, too many to be listed")
    if not found:
        return []
    added = pa.concat_tables(found).group_by(GROUP).aggregate([(name, "sum") for name in SUMS])
    rows = added.rename_columns([*GROUP, *SUMS]).to_pylist()
    orders = [CustomerOrder(**row | {"amount": without_zeros(row["amount"])}) for row in rows]
    return sorted(orders, key=lambda order: (order.order_date, order.invoice_no), reverse=True)


def without_zeros(amount: Decimal) -> Decimal:
    """The amount with the decimals it has, at least two."""
    shortest = amount.normalize()
    return shortest if shortest != shortest.quantize(CENT) else amount.quantize(CENT)


def rows_of(customer_id: str, table: pq.ParquetFile) -> Iterator[pa.Table]:
    """A customer's rows, with COLUMNS."""
    for number in range(table.num_row_groups):
        if any(pc.any(batch).as_py() for batch in matches(customer_id, table, number)):
            batches = table.iter_batches(ROWS_AT_A_TIME, [number], COLUMNS, use_threads=False)
            for batch in batches:
                yield pa.Table.from_batches([batch.filter(pc.equal(batch[KEY], customer_id))])


def matches(customer_id: str, table: pq.ParquetFile, row_group: int) -> Iterator[pa.BooleanArray]:
    """In pieces, which rows of a row group are the customer's."""
    for batch in table.iter_batches(ROWS_AT_A_TIME, [row_group], [KEY], use_threads=False):
        yield pc.equal(batch[KEY], customer_id)


def counted(rows: pa.Table, part: Part, behind: OrdersBehind) -> pa.Table:
    """Those that the snapshot counts."""
    wanted = pc.and_(
        pc.is_in(rows["file"], pa.array(part.files, pa.string())),
        pc.less(rows["order_date"], behind.before),
    )
    if behind.first_day is not None:
        wanted = pc.and_(wanted, pc.greater_equal(rows["order_date"], behind.first_day))
    return rows.filter(wanted)
