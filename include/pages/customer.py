"""One customer: the scores, why this segment, what would change it, orders, and history."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from include.errors import UserError
from include.lake.record import RunRecord, read_run_record
from include.pages.chosen import Chosen, lake, read_each
from include.pages.sorting import Column, Table, TablePage, View, file_of
from include.published.catalog import SnapshotName
from include.published.customers import Customer, CustomerRow, find_customer
from include.published.orders import CustomerOrder, OrdersBehind, orders_behind, orders_of
from include.published.scores import CutPoints, Fall, Lift, Values, falls, lifts, score_range
from include.published.snapshot import read_cut_points
from include.settings import Segment, SegmentMap

SPREAD, LAST = 10, 30  # snapshots in a history: each is a file to look into
AT_ONCE_BYTES = 4_000_000  # of orders, a quarter of a million: searched in a tenth of a second
History = tuple[SnapshotName, CustomerRow | None]  # the customer there; None: was none

LIFTS = Table[Lift](
    "lifts",
    [
        Column("segment", "to", lambda lift: lift.segment),
        Column("more_orders", "more orders", lambda lift: lift.more_orders),
        Column("more_spend", "for at least", lambda lift: lift.more_spend),
        Column("rfm_score", "score then", lambda lift: lift.code),
    ],
)
FALLS = Table[Fall](
    "falls",
    [
        Column("segment", "to", lambda fall: fall.segment),
        Column("days", "in days", lambda fall: fall.days),
        Column("rfm_score", "score then", lambda fall: fall.code),
    ],
)
HISTORY = Table[History](
    "history",
    [
        Column("as_of", "as of", lambda then: then[0].as_of),
        Column("segment", "segment", lambda then: then[1] and then[1].segment, style="left"),
        Column("rfm_score", "score", lambda then: then[1] and then[1].rfm_score),
        Column("recency_days", "days ago", lambda then: then[1] and then[1].recency_days),
        Column("frequency", "orders", lambda then: then[1] and then[1].frequency),
        Column("monetary", "spent", lambda then: then[1] and then[1].monetary),
    ],
    start="-as_of",
)
ORDERS = Table[CustomerOrder](
    "orders",
    [
        Column("order_date", "date", lambda order: order.order_date),
        Column("invoice_no", "invoice", lambda order: order.invoice_no, style="left"),
        Column("line_type", "type", lambda order: order.line_type, style="left"),
        Column("amount", "amount", lambda order: order.amount),
        Column("lines", "lines", lambda order: order.lines),
    ],
    start="-order_date",
)


@dataclass(frozen=True)
class Score:
    """A score of a customer, and the values that have it."""

    metric: str
    value: Decimal | int
    score: int
    above: Decimal | None
    up_to: Decimal | None


@dataclass(frozen=True)
class CustomerPage:
    customer: Customer
    segment: Segment | None  # None where the map of the snapshot does not have it
    scores: Sequence[Score]
    lifts: TablePage[Lift]
    falls: TablePage[Fall]
    history: TablePage[History]
    orders: "Orders"


@dataclass(frozen=True)
class Orders:
    """The orders of a customer, or why they are not shown."""

    behind: OrdersBehind | None = None
    page: TablePage[CustomerOrder] | None = None  # None: to be searched when somebody asks for them
    missing: str = ""  # why there are none


@dataclass(frozen=True)
class AskedCustomer:
    """Whose page is wanted, and with how much of it."""

    customer_id: str
    every_date: bool = False  # in the history: every one of the last, and not dates spread over all snapshots
    orders: bool = False  # however long they take


def read_customer_page(chosen: Chosen, asked: AskedCustomer, view: View) -> CustomerPage | None:
    """None where the snapshot does not have the customer."""
    customer = find_customer(chosen.folder, asked.customer_id, Customer)
    if customer is None:
        return None
    record = read_run_record(chosen.folder)
    segment_map = record.config.segment_map
    cuts = read_cut_points(chosen.folder)
    return CustomerPage(
        customer=customer,
        segment=segment_of(customer, segment_map),
        scores=scores(customer, cuts),
        lifts=LIFTS.shown(view, lifts(values_of(customer), cuts, segment_map)),
        falls=FALLS.shown(view, falls(values_of(customer), cuts, segment_map)),
        history=HISTORY.shown(view, history(chosen, asked)),
        orders=read_orders(record, asked, view),
    )


def customer_csv(chosen: Chosen, asked: AskedCustomer, view: View, name: str) -> Iterator[bytes] | None:
    """One of the tables, whole. None where the snapshot does not have the customer."""
    customer = find_customer(chosen.folder, asked.customer_id, Customer)
    if customer is None:
        return None
    record, cuts = read_run_record(chosen.folder), read_cut_points(chosen.folder)
    given = values_of(customer), cuts, record.config.segment_map
    files = {
        "lifts": lambda: LIFTS.csv(view, lifts(*given)),
        "falls": lambda: FALLS.csv(view, falls(*given)),
        "history": lambda: HISTORY.csv(view, history(chosen, asked)),
        "orders": lambda: ORDERS.csv(view, orders_of(asked.customer_id, orders_behind(lake(), record))),
    }
    return file_of(name, files)


def read_orders(record: RunRecord, asked: AskedCustomer, view: View) -> Orders:
    try:
        behind = orders_behind(lake(), record)
        if not asked.orders and behind.size_bytes > AT_ONCE_BYTES:
            return Orders(behind)
        found = orders_of(asked.customer_id, behind)
    except UserError as error:
        return Orders(missing=str(error))
    return Orders(behind, ORDERS.shown(view, found))


def values_of(customer: Customer) -> Values:
    return Values(customer.recency_days, customer.frequency, customer.monetary)


def segment_of(customer: Customer, segment_map: SegmentMap) -> Segment | None:
    return next((segment for segment in segment_map.segments if segment.name == customer.segment), None)


def scores(customer: Customer, cuts: CutPoints) -> list[Score]:
    metrics: list[tuple[str, Decimal | int, int]] = [
        ("recency_days", customer.recency_days, customer.r_score),
        ("frequency", customer.frequency, customer.f_score),
        ("monetary", customer.monetary, customer.m_score),
    ]
    return [
        Score(metric, value, number, *score_range(metric, number, cuts)) for metric, value, number in metrics
    ]


def dates_of(chosen: Chosen, *, every_date: bool) -> list[SnapshotName]:
    """The snapshots of a history: this one and some before it, the newest first."""
    before = [name for name in chosen.alike if name.as_of <= chosen.name.as_of]
    if every_date:
        return before[:LAST]
    step = -(-len(before) // SPREAD)
    return before[::step]


def history(chosen: Chosen, asked: AskedCustomer) -> list[History]:
    """The customer in earlier snapshots. A damaged one is left out: its own page says so."""
    names = dates_of(chosen, every_date=asked.every_date)
    found, _ = read_each(names, lambda folder, _: find_customer(folder, asked.customer_id, CustomerRow))
    return list(found.items())
