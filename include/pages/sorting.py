"""Tables that are sorted, turned over and downloaded by what stands in the address of their page.

`?sort=-lines` is the longest first, and `?page=2` the second page. Where a page has several tables, the name
of the table stands before: `?runs_sort=-customers&files_page=2`. All else in an address stays as it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import HTTPException

from include.published.customers import LAST_PAGE, PAGE_ROWS, Order
from include.published.files import csv_lines

R = TypeVar("R")


@dataclass(frozen=True)
class View:
    """The address of a page: its path, and how its tables are wanted."""

    path: str
    files: str  # the path of the files of its tables
    query: Mapping[str, str]

    def link(self, changes: Mapping[str, str | None], anchor: str) -> str:
        """The page with these changes; what is None is left out."""
        asked = {key: value for key, value in {**self.query, **changes}.items() if value is not None}
        return f"{self.path}?{urlencode(asked)}#{anchor}"

    def csv(self, table: str) -> str:
        """All rows of a table in the same order, as a file."""
        return f"{self.files}/{table}.csv?{urlencode(self.query)}"


@dataclass(frozen=True)
class Column(Generic[R]):
    """A column of a table, with its name in addresses and in the file."""

    name: str
    title: str
    value: Callable[[R], Any]  # what it is sorted by, unless `key` says otherwise; None comes last
    key: Callable[[R], Any] | None = None
    style: str = ""  # class of its heading

    def sorted(self, rows: Sequence[R], *, descending: bool) -> list[R]:
        key = self.key or self.value
        known = [row for row in rows if key(row) is not None]
        unknown = [row for row in rows if key(row) is None]
        return sorted(known, key=key, reverse=descending) + unknown


@dataclass(frozen=True)
class Table(Generic[R]):
    """A table of a page. Its name is that of its section, too."""

    name: str
    columns: Sequence[Column[R]]
    start: str = ""  # how it is sorted before anybody has asked; empty: as its rows come
    alone: bool = False  # the only table of its page

    def key(self, what: str) -> str:
        """What `sort` and `page` are called in the address."""
        return what if self.alone else f"{self.name}_{what}"

    def sort(self, view: View) -> str:
        return view.query.get(self.key("sort"), self.start)

    def order(self, view: View) -> Order | None:
        """The order that is asked for. None: as the rows come."""
        asked = self.sort(view)
        names = [column.name for column in self.columns]
        if asked in names:
            return Order(asked, descending=False)
        if asked.removeprefix("-") in names:
            return Order(asked.removeprefix("-"), descending=True)
        if not asked:
            return None
        raise HTTPException(
            HTTPStatus.NOT_FOUND,
            f"The table {self.name} cannot be sorted by that. Sort by {', '.join(names)}.",
        )

    def page(self, view: View) -> int:
        asked = view.query.get(self.key("page"), "1")
        if asked.isdecimal() and len(asked) < 4 and 1 <= int(asked) <= LAST_PAGE:
            return int(asked)
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"Pages have numbers from 1 to {LAST_PAGE}. The CSV file has all rows."
        )

    def shown(self, view: View, rows: Sequence[R]) -> "TablePage[R]":
        """The page that is asked for, of all rows."""
        page = self.page(view)
        start = (page - 1) * PAGE_ROWS
        return self.of(view, self.in_order(view, rows)[start : start + PAGE_ROWS], len(rows))

    def of(self, view: View, rows: Sequence[R], total: int) -> "TablePage[R]":
        """The page that is asked for, when these are its rows."""
        found = TablePage(self, view, rows, total)
        if found.page > found.pages:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"The last page of {self.name} is {found.pages}.")
        return found

    def in_order(self, view: View, rows: Sequence[R]) -> Sequence[R]:
        order = self.order(view)
        if order is None:
            return rows
        column = next(column for column in self.columns if column.name == order.column)
        return column.sorted(rows, descending=order.descending)

    def csv(self, view: View, rows: Sequence[R]) -> Iterator[bytes]:
        """All rows in the order that is asked for, as lines of a file."""
        yield csv_lines([{column.name: column.name for column in self.columns}])
        yield csv_lines(
            {column.name: column.value(row) for column in self.columns} for row in self.in_order(view, rows)
        )


@dataclass(frozen=True)
class TablePage(Generic[R]):
    """A page of a table, as the macros of the templates show it."""

    table: Table[R]
    view: View
    rows: Sequence[R]
    total: int  # rows of all pages

    @property
    def page(self) -> int:
        return self.table.page(self.view)

    @property
    def pages(self) -> int:
        """Those that can be shown."""
        return min(max(1, -(-self.total // PAGE_ROWS)), LAST_PAGE)

    @property
    def is_cut(self) -> bool:
        return self.total > self.pages * PAGE_ROWS

    @property
    def csv(self) -> str:
        return self.view.csv(self.table.name)

    def aria_sort(self, column: str) -> str | None:
        order = self.table.order(self.view)
        if order is None or order.column != column:
            return None
        return "descending" if order.descending else "ascending"

    def sorted_by(self, column: str) -> str:
        """The address behind the head of a column: the other way round at the second click."""
        sort = f"-{column}" if self.table.sort(self.view) == column else column
        return self.view.link({self.table.key("sort"): sort, self.table.key("page"): None}, self.table.name)

    def turned_to(self, page: int) -> str:
        return self.view.link({self.table.key("page"): str(page)}, self.table.name)


def file_of(name: str, files: Mapping[str, Callable[[], Iterator[bytes]]]) -> Iterator[bytes]:
    """The file of one of the tables of a page."""
    if name in files:
        return files[name]()
    raise HTTPException(
        HTTPStatus.NOT_FOUND, f"The page has no such table. It has the tables {', '.join(files)}."
    )
