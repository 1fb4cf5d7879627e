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
import pyarrow.dataset as ds

from include.errors import OutdatedError
from include.published.customers import KEY, PAGE_ROWS
from include.published.snapshot import Move, groups, missing, read_customers
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


def moved_customers(then: Path, now: Path, group: Group, page: int) -> list[Moved]:
    """A page, from 1, of a group: who spent the most until then first."""
    best = None
    keys = [("spent_then", "descending"), ("monetary", "descending"), (KEY, "ascending")]
    for rows in group_rows(then, now, group):
        both = pa.concat_tables([best, rows]) if best else rows
        best = both.take(pc.sort_indices(both, sort_keys=keys)[: page * PAGE_ROWS])
    rows = best.slice((page - 1) * PAGE_ROWS).to_pylist() if best else []
    return [Moved(**row) for row in rows]


def group_rows(then: Path, now: Path, group: Group) -> Iterator[pa.Table]:
    """The customers of a group by their ids, in pieces."""
    for rows in joined(then, now):
        yield group.of(rows).select(COLUMNS).sort_by(KEY)


# -- the join -----------------------------------------------------------------------------------


def joined(then: Path, now: Path) -> Iterator[pa.Table]:
    """The customers of both snapshots, each once, in pieces with the columns of THEN and NOW."""
    above: str | None = None
    for batch in read_customers(now, [KEY, *NOW]):
        if batch.num_rows:
            up_to = last_id(batch, above, now)
            yield beside(earlier(then, above, up_to), batch)
            above = up_to
    nobody = CUSTOMER_SEGMENTS.arrow_schema.empty_table().select([KEY, *NOW])
    yield beside(earlier(then, above, None), nobody)


def beside(then: pa.Table, now: pa.Table) -> pa.Table:
    """Each customer of both tables, with words for no segment."""
    names_then, names_now = [KEY, *THEN.values()], [KEY, *NOW.values()]
    both = then.rename_columns(names_then).join(
        now.rename_columns(names_now), KEY, join_type="full outer", use_threads=False
    )
    for name, words in (("segment_then", NOT_YET), ("segment", NO_LONGER)):
        place = both.schema.get_field_index(name)
        both = both.set_column(place, name, pc.fill_null(both[name], words))
    return both


def last_id(batch: pa.Table, above: str | None, folder: Path) -> str:
    """The highest id of a piece of a table. Raises OutdatedError where the table is not sorted."""
    ids = batch[KEY].combine_chunks()
    first, last = ids[0].as_py(), ids[-1].as_py()
    in_order = pc.all(pc.less(ids[:-1], ids[1:])).as_py() is not False and (above is None or above < first)
    if not in_order:
        raise OutdatedError(f"the customers in {folder} are not sorted by their ids", clear_from="segment")
    return str(last)


def earlier(folder: Path, above: str | None, up_to: str | None) -> pa.Table:
    """The customers of a range of ids. Raises OutdatedError as above."""
    file = folder / f"{CUSTOMER_SEGMENTS.name}.parquet"
    wanted = pc.is_valid(pc.field(KEY))
    if above is not None:
        wanted &= pc.field(KEY) > above
    if up_to is not None:
        wanted &= pc.field(KEY) <= up_to
    try:
        table = ds.dataset(file, format="parquet")
        return table.to_table([KEY, *THEN], filter=wanted, use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise missing(file) from error
