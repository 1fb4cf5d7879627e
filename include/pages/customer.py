"""One customer: the scores, why this segment, what would change it, and its history."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from include.lake.record import read_run_record
from include.pages.chosen import Chosen, read_each
from include.published.catalog import SnapshotName
from include.published.customers import Customer, CustomerRow, find_customer
from include.published.scores import CutPoints, Fall, Lift, Values, falls, lifts, score_range
from include.published.snapshot import read_cut_points
from include.settings import Segment, SegmentMap

SPREAD, LAST = 10, 30  # snapshots in a history: each is a file to look into


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
    lifts: Sequence[Lift]
    falls: Sequence[Fall]
    history: Sequence[tuple[SnapshotName, CustomerRow | None]]  # the newest first


def read_customer_page(chosen: Chosen, customer_id: str, *, every_date: bool) -> CustomerPage | None:
    """None where the snapshot does not have the customer. Its history has dates spread over all snapshots, or
    every one of the last."""
    customer = find_customer(chosen.folder, customer_id, Customer)
    if customer is None:
        return None
    segment_map = read_run_record(chosen.folder).config.segment_map
    cuts = read_cut_points(chosen.folder)
    values = Values(customer.recency_days, customer.frequency, customer.monetary)
    return CustomerPage(
        customer=customer,
        segment=segment_of(customer, segment_map),
        scores=scores(customer, cuts),
        lifts=lifts(values, cuts, segment_map),
        falls=falls(values, cuts, segment_map),
        history=history(dates_of(chosen, every_date=every_date), customer_id),
    )


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


def history(names: Sequence[SnapshotName], customer_id: str) -> list[tuple[SnapshotName, CustomerRow | None]]:
    """The customer in each of these snapshots. A damaged one is left out: its own page says so."""
    found, _ = read_each(names, lambda folder, _: find_customer(folder, customer_id, CustomerRow))
    return list(found.items())
