"""The customers of a segment, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from fastapi import HTTPException

from include.lake.record import read_run_record
from include.pages.chosen import Chosen
from include.pages.sorting import order_after_click, sort_column
from include.published.customers import LAST_PAGE, PAGE_ROWS, SORT_COLUMNS, CustomerRow, Order, customers_of
from include.published.snapshot import Segment, read_segments


@dataclass(frozen=True)
class Asked:
    """How the customers are wanted: `-monetary` is the most spent first."""

    order: Order
    page: int

    @property
    def sort(self) -> str:
        return f"{'-' if self.order.descending else ''}{self.order.column}"

    def sorted_by(self, column: str) -> str:
        return order_after_click(self.sort, column)


@dataclass(frozen=True)
class SegmentPage:
    segment: Segment
    names: Sequence[str]  # of all segments
    customers: Sequence[CustomerRow]
    asked: Asked

    @property
    def pages(self) -> int:
        return max(1, -(-self.segment.customers // PAGE_ROWS))

    @property
    def shown_pages(self) -> int:
        return min(self.pages, LAST_PAGE)

    @property
    def first(self) -> int:
        return (self.asked.page - 1) * PAGE_ROWS + 1


def asked(sort: str, page: int) -> Asked:
    column = sort_column(sort, SORT_COLUMNS, "Customers")
    return Asked(Order(column, sort.startswith("-")), page)


def read_segment_page(chosen: Chosen, name: str, wanted: Asked) -> SegmentPage:
    segments = segments_of(chosen)
    segment = find_segment(segments, name)
    found = SegmentPage(segment, [one.name for one in segments], [], wanted)
    if wanted.page > found.shown_pages:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"The last page of {name} is {found.shown_pages}. The CSV file has all."
        )
    return replace(found, customers=customers_of(chosen.folder, name, wanted.order, wanted.page))


def segments_of(chosen: Chosen) -> list[Segment]:
    return read_segments(chosen.folder, read_run_record(chosen.folder).config.segment_map)


def find_segment(segments: Sequence[Segment], name: str) -> Segment:
    for segment in segments:
        if segment.name == name:
            return segment
    names = ", ".join(segment.name for segment in segments)
    raise HTTPException(HTTPStatus.NOT_FOUND, f"The snapshot has no such segment. It has {names}.")
