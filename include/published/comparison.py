"""The customers of one snapshot beside those of an earlier one.

Both tables are sorted by customer, so they are joined a row group at a time, and never held whole.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from include.errors import OutdatedError
from include.published.customers import KEY, PAGE_ROWS, Order
from include.published.snapshot import Move, groups, read_customers
from include.published.tables import CUSTOMER_SEGMENTS, NO_LONGER, NOT_YET

THEN = {"segment": "segment_then", "r_score": "r_then", "monetary": "spent_then"}
NOW = {"segment": "segment", "r_score": "r_score", "recency_days": "recency_days", "monetary": "monetary"}
AWAY, ACTIVE = 2, 4  # recency scores: at most, and at least


@dataclass(frozen=True)
class Moved:
    """A customer then and now. None: was or is no customer that counts."""

    customer_id: str
    segment_then: str
    segment: str
    spent_then: Decimal | None
    monetary: Decimal | None
    recency_days: int | None


COLUMNS = list(Moved.__dataclass_fields__)


@dataclass(frozen=True)
class Group:
    """Customers by what became of them. None is any segment; `won_back` is about recency instead."""

    then: str | None = None
    now: str | None = None
    left: str | None = None  # were in this segment and are no more
    won_back: bool = False

    def of(self, rows: pa.Table) -> pa.Table:
        """The rows that belong to the group."""
        chosen = pc.is_valid(rows[KEY])
        if self.then is not None:
            chosen = pc.and_(chosen, pc.equal(rows["segment_then"], self.then))
        if self.now is not None:
            chosen = pc.and_(chosen, pc.equal(rows["segment"], self.now))
        if self.left is not None:
            was = pc.equal(rows["segment_then"], self.left)
            chosen = pc.and_(chosen, pc.and_(was, pc.not_equal(rows["segment"], self.left)))
        if self.won_back:
            back = pc.and_(pc.less_equal(rows["r_then"], AWAY), pc.greater_equal(rows["r_score"], ACTIVE))
            chosen = pc.and_(chosen, pc.fill_null(back, False))
        return rows.filter(chosen)


def moves_between(then: Path, now: Path) -> list[Move]:
    """Customers by segment then and now. Raises OutdatedError where a table is missing or damaged."""
    found = Counter[tuple[str, str]]()
    for rows in joined(then, now):
        for before, after, customers in groups(rows, ["segment_then", "segment"], ([], "count_all")):
            found[before, after] += customers
    return [Move(before, after, customers) for (before, after), customers in sorted(found.items())]


def moved_customers(then: Path, now: Path, group: Group, order: Order, page: int) -> tuple[list[Moved], int]:
    """A page, from 1, of a group, and how many customers the group has."""
    best, found = None, 0
    keys = order.sort_keys(then=["spent_then", "monetary"])
    for rows in group_rows(then, now, group):
        found += rows.num_rows
        both = pa.concat_tables([best, rows]) if best else rows
        best = both.take(pc.sort_indices(both, sort_keys=keys)[: page * PAGE_ROWS])
    rows = best.slice((page - 1) * PAGE_ROWS).to_pylist() if best else []
    return [Moved(**row) for row in rows], found


def group_rows(then: Path, now: Path, group: Group) -> Iterator[pa.Table]:
    """The customers of a group by their ids, in pieces."""
    for rows in joined(then, now):
        yield group.of(rows).select(COLUMNS).sort_by(KEY)


# -- the join -----------------------------------------------------------------------------------


def joined(then: Path, now: Path) -> Iterator[pa.Table]:
    """The customers of both snapshots, each once, in pieces with the columns of THEN and NOW."""
    earlier = Ascending(then, [KEY, *THEN])
    for batch in in_order(now, [KEY, *NOW]):
        yield beside(earlier.up_to(batch[KEY][-1]), batch)
    nobody = CUSTOMER_SEGMENTS.arrow_schema.empty_table().select([KEY, *NOW])
    for batch in earlier.others():
        yield beside(batch, nobody)


class Ascending:
    """The customers of a snapshot, to be taken in the order of their ids."""

    def __init__(self, folder: Path, columns: list[str]) -> None:
        self.pieces = in_order(folder, columns)
        self.next = CUSTOMER_SEGMENTS.arrow_schema.empty_table().select(columns)

    def up_to(self, last: pa.StringScalar) -> pa.Table:
        """Those with ids up to this one, who were not taken before."""
        while not self.next.num_rows or self.next[KEY][-1].as_py() <= last.as_py():
            piece = next(self.pieces, None)
            if piece is None:
                break
            self.next = pa.concat_tables([self.next, piece])
        found = pc.sum(pc.less_equal(self.next[KEY], last)).as_py() or 0
        taken, self.next = self.next.slice(0, found), self.next.slice(found)
        return taken

    def others(self) -> Iterator[pa.Table]:
        """All who were not taken before."""
        yield self.next
        yield from self.pieces


def in_order(folder: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Columns of the customers in pieces, none of them empty. Raises OutdatedError where the table is not
    sorted, missing or damaged."""
    above = None
    for batch in read_customers(folder, columns):
        if batch.num_rows:
            ids = batch[KEY].combine_chunks()
            ascending = pc.all(pc.less(ids[:-1], ids[1:])).as_py() is not False
            if not ascending or (above is not None and above >= ids[0].as_py()):
                problem = f"the customers in {folder} are not sorted by their ids"
                raise OutdatedError(problem, clear_from="segment")
            yield batch
            above = ids[-1].as_py()


def beside(then: pa.Table, now: pa.Table) -> pa.Table:
    """Each customer of both tables, with words for no segment."""
    place = pc.index_in(now[KEY], value_set=then[KEY].combine_chunks()).combine_chunks()
    found = pc.inverse_permutation(place.drop_null(), max_index=then.num_rows - 1)
    gone = then.filter(pc.is_null(found)) if then.num_rows else then
    renamed = gone.rename_columns([KEY, *THEN.values()])
    both = now.rename_columns([KEY, *NOW.values()])
    for name, new in THEN.items():
        both = both.append_column(new, then[name].take(place))
    both = pa.concat_tables([both, renamed], promote_options="default")
    for name, words in (("segment_then", NOT_YET), ("segment", NO_LONGER)):
        place = both.schema.get_field_index(name)
        both = both.set_column(place, name, pc.fill_null(both[name], words))
    return both
