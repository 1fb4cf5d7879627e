"""The customers of a segment, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from fastapi import HTTPException

from include.lake.record import read_run_record
from include.pages.chosen import Chosen
from include.pages.sorting import Column, Table, TablePage, View
from include.published.customers import PAGE_ROWS, CustomerRow, Order, customers_of
from include.published.snapshot import Segment, read_segments

CUSTOMERS = Table[CustomerRow](
    "customers",
    [
        Column("customer_id", "customer", lambda customer: customer.customer_id),
        Column("country", "country", lambda customer: customer.country),
        Column("last_purchase_date", "last purchase", lambda customer: customer.last_purchase_date),
        Column("recency_days", "days ago", lambda customer: customer.recency_days),
        Column("frequency", "orders", lambda customer: customer.frequency),
        Column("monetary", "spent", lambda customer: customer.monetary),
        Column("rfm_score", "score", lambda customer: customer.rfm_score),
        Column("previous_segment", "before", lambda customer: customer.previous_segment),
    ],
    start="-monetary",
    alone=True,
)


@dataclass(frozen=True)
class SegmentPage:
    segment: Segment
    names: Sequence[str]  # of all segments
    customers: TablePage[CustomerRow]

    @property
    def first(self) -> int:
        return (self.customers.page - 1) * PAGE_ROWS + 1


def read_segment_page(chosen: Chosen, name: str, view: View) -> SegmentPage:
    segments = segments_of(chosen)
    segment = find_segment(segments, name)
    order = CUSTOMERS.order(view) or Order("monetary", descending=True)
    page = CUSTOMERS.of(view, [], segment.customers)
    rows = customers_of(chosen.folder, name, order, page.page)
    return SegmentPage(segment, [one.name for one in segments], replace(page, rows=rows))


def segments_of(chosen: Chosen) -> list[Segment]:
    return read_segments(chosen.folder, read_run_record(chosen.folder).config.segment_map)


def find_segment(segments: Sequence[Segment], name: str) -> Segment:
    for segment in segments:
        if segment.name == name:
            return segment
    names = ", ".join(segment.name for segment in segments)
    raise HTTPException(HTTPStatus.NOT_FOUND, f"The snapshot has no such segment. It has {names}.")
