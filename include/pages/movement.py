"""How customers moved between the segments of any two dates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path

from fastapi import HTTPException
from markupsafe import Markup

from include.lake.record import read_run_record
from include.pages.chosen import Chosen, chosen_snapshot
from include.pages.live_charts import figure
from include.pages.sorting import Column, Table, TablePage, View, file_of
from include.published import charts
from include.published.catalog import SnapshotName
from include.published.comparison import (
    COLUMNS,
    Group,
    Moved,
    group_rows,
    moved_customers,
    moves_between,
)
from include.published.customers import Order
from include.published.files import header, table_csv
from include.published.snapshot import Move
from include.published.tables import NO_LONGER, NOT_YET

USUAL_DAYS = 30  # apart, unless another date is chosen
LEFT, WON_BACK = "left", "won-back"
LIST = Table[Moved](
    "list",
    [
        Column("customer_id", "customer", lambda customer: customer.customer_id),
        Column("segment_then", "then", lambda customer: customer.segment_then, style="left"),
        Column("segment", "now", lambda customer: customer.segment, style="left"),
        Column("spent_then", "spent then", lambda customer: customer.spent_then),
        Column("monetary", "spent now", lambda customer: customer.monetary),
        Column("recency_days", "days ago", lambda customer: customer.recency_days),
    ],
    start="-spent_then",
)


@dataclass(frozen=True)
class Asked:
    """Whose list is wanted: of a named group, or of a pair of segments."""

    group: str = LEFT
    was: str | None = None
    now: str | None = None

    @property
    def query(self) -> dict[str, str]:
        """As in an address."""
        if self.was is not None and self.now is not None:
            return {"was": self.was, "now": self.now}
        return {"group": self.group}


@dataclass(frozen=True)
class Pair:
    """The chosen snapshot, and an earlier one."""

    chosen: Chosen
    before: Chosen

    @property
    def folders(self) -> tuple[Path, Path]:
        return self.before.folder, self.chosen.folder


@dataclass(frozen=True)
class Movement:
    best: str  # the best segment
    matrix: TablePage[str]  # segments then
    columns: Sequence[str]  # segments now
    cells: Mapping[tuple[str, str], int]
    chart: Markup
    title: str  # of the list
    customers: TablePage[Moved]


def earlier_snapshots(chosen: Chosen) -> list[SnapshotName]:
    return [name for name in chosen.alike if name.as_of < chosen.name.as_of]


def pair_of(chosen: Chosen, before: str | None) -> Pair | None:
    """The chosen snapshot and the one to compare it with: about USUAL_DAYS before, if none is named. None
    where there is no earlier one."""
    earlier = earlier_snapshots(chosen)
    if not earlier:
        return None
    if before is None:
        apart = (name for name in earlier if (chosen.name.as_of - name.as_of).days >= USUAL_DAYS)
        return Pair(chosen, chosen_snapshot(str(next(apart, earlier[-1]))))
    other = chosen_snapshot(before)
    if other.name not in earlier:
        raise HTTPException(
            HTTPStatus.NOT_FOUND,
            f"{other.name} is not an earlier snapshot of the same variant as {chosen.name}. Choose one of "
            f"{', '.join(map(str, earlier[:10]))}.",
        )
    return Pair(chosen, other)


def read_movement_page(pair: Pair, asked: Asked, view: View) -> Movement:
    names = read_run_record(pair.chosen.folder).config.segment_map.names
    moves = moves_of(*pair.folders)
    order = LIST.order(view) or Order("spent_then", descending=True)
    customers, total = moved_customers(*pair.folders, group_of(asked, names), order, LIST.page(view))
    return Movement(
        best=names[0],
        matrix=matrix(moves, names).shown(view, in_order([move.before for move in moves], names)),
        columns=in_order([move.now for move in moves], names),
        cells=cells_of(moves),
        chart=drawn(*pair.folders, tuple(names)),
        title=title_of(asked, names),
        customers=LIST.of(view, customers, total),
    )


def matrix(moves: Sequence[Move], names: Sequence[str]) -> Table[str]:
    """A row for each segment then, and a column for each segment now."""
    cells = cells_of(moves)
    rows = in_order([move.before for move in moves], names)
    now = in_order([move.now for move in moves], names)

    def to(segment: str) -> Column[str]:
        return Column(segment, segment, lambda was: cells.get((was, segment)))

    return Table("matrix", [Column[str]("then", "then", str, key=rows.index), *map(to, now)], start="then")


def cells_of(moves: Sequence[Move]) -> dict[tuple[str, str], int]:
    return {(move.before, move.now): move.customers for move in moves}


moves_of = lru_cache(maxsize=32)(moves_between)  # a version of a snapshot never changes


def in_order(found: Sequence[str], names: Sequence[str]) -> list[str]:
    """Segments by rank, then those that the map does not have."""
    return sorted(set(found), key=lambda name: (names.index(name) if name in names else len(names), name))


@lru_cache(maxsize=32)
def drawn(before: Path, now: Path, names: tuple[str, ...]) -> Markup:
    moves: list[Move] = moves_of(before, now)
    known = {*names, NOT_YET, NO_LONGER}
    others = sorted({name for move in moves for name in (move.before, move.now)} - known)
    return figure(charts.movement_map(moves, [*names, *others], [NOT_YET, NO_LONGER]))


def group_of(asked: Asked, names: Sequence[str]) -> Group:
    if asked.was is not None and asked.now is not None:
        return Group(then=asked.was, now=asked.now)
    if asked.group == WON_BACK:
        return Group(won_back=True)
    if asked.group == LEFT:
        return Group(left=names[0])
    raise HTTPException(
        HTTPStatus.NOT_FOUND,
        f"There is no such list. There are {LEFT} and {WON_BACK}, and those of the table.",
    )


def title_of(asked: Asked, names: Sequence[str]) -> str:
    if asked.was is not None and asked.now is not None:
        return f"{asked.was}, now {asked.now}"
    return "Won back" if asked.group == WON_BACK else f"Left {names[0]}"


def movement_csv(pair: Pair, asked: Asked, view: View, name: str) -> Iterator[bytes]:
    """One of the tables, whole."""
    names = read_run_record(pair.chosen.folder).config.segment_map.names
    moves = moves_of(*pair.folders)
    rows = in_order([move.before for move in moves], names)
    files = {
        "matrix": lambda: matrix(moves, names).csv(view, rows),
        "list": lambda: list_csv(pair, group_of(asked, names)),
    }
    return file_of(name, files)


def list_csv(pair: Pair, group: Group) -> Iterator[bytes]:
    """All customers of a group, by their ids."""
    yield header(COLUMNS)
    for rows in group_rows(*pair.folders, group):
        yield table_csv(rows)
