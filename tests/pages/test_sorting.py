"""Tables that are sorted, turned over and downloaded by what stands in the address."""

import csv
import io
from dataclasses import dataclass

import pytest
from fastapi import HTTPException

from include.pages.sorting import Column, Table, View, file_of
from tests.unit.published.small import FORMULA


@dataclass(frozen=True)
class Fruit:
    name: str
    pieces: int | None = None


FRUIT = [Fruit("pear", 2), Fruit("apple", None), Fruit("plum", 10), Fruit("fig", 2)]
TABLE = Table[Fruit](
    "fruit",
    [
        Column("name", "name", lambda fruit: fruit.name),
        Column("pieces", "pieces", lambda fruit: fruit.pieces),
        Column("size", "size", lambda fruit: f"{fruit.pieces} pieces", key=lambda fruit: fruit.pieces),
    ],
    start="name",
)


def asked(**query: str) -> View:
    return View("/rfm/shop", "/rfm/shop", query)


def names(view: View) -> list[str]:
    return [fruit.name for fruit in TABLE.shown(view, FRUIT).rows]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["apple", "fig", "pear", "plum"]),
        ("-name", ["plum", "pear", "fig", "apple"]),
        ("pieces", ["pear", "fig", "plum", "apple"]),  # equal ones as they come, the unknown last
        ("-pieces", ["plum", "pear", "fig", "apple"]),  # either way
        ("size", ["pear", "fig", "plum", "apple"]),  # by its key: as text, 10 would be before 2
        ("", ["pear", "apple", "plum", "fig"]),
    ],
)
def test_rows_are_sorted_by_a_column(sort: str, expected: list[str]) -> None:
    assert names(asked(fruit_sort=sort)) == expected


def test_a_table_starts_in_an_order_of_its_own() -> None:
    assert names(asked(sort="-name", other_sort="-name")) == ["apple", "fig", "pear", "plum"]


def test_a_head_says_its_order_and_leads_to_the_other_way_and_to_the_first_page() -> None:
    page = TABLE.shown(
        asked(snapshot="2011-12-10", other_page="3", fruit_sort="pieces", fruit_page="1"), FRUIT
    )
    assert [page.aria_sort(column.name) for column in TABLE.columns] == [None, "ascending", None]
    assert page.sorted_by("pieces") == "/rfm/shop?snapshot=2011-12-10&other_page=3&fruit_sort=-pieces#fruit"
    assert page.sorted_by("name") == "/rfm/shop?snapshot=2011-12-10&other_page=3&fruit_sort=name#fruit"


def test_a_table_alone_on_its_page_has_short_names_in_the_address() -> None:
    alone = Table("fruit", TABLE.columns, alone=True)
    page = alone.shown(asked(sort="-name"), FRUIT)
    assert page.rows[0].name == "plum"
    assert page.sorted_by("name") == "/rfm/shop?sort=name#fruit"
    assert page.turned_to(2) == "/rfm/shop?sort=-name&page=2#fruit"


def test_there_are_fifty_rows_on_a_page() -> None:
    many = [Fruit(f"{n:03}", n) for n in range(120)]
    page = TABLE.shown(asked(fruit_page="3", fruit_sort="-pieces"), many)
    assert [fruit.pieces for fruit in page.rows] == list(range(19, -1, -1))
    assert (page.page, page.pages, page.total, page.is_cut) == (3, 3, 120, False)


def test_of_a_long_table_the_first_pages_are_shown_and_the_file_has_all() -> None:
    page = TABLE.of(asked(fruit_page="200"), FRUIT, 10_001)
    assert (page.pages, page.is_cut) == (200, True)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"fruit_sort": "price"}, "Sort by name, pieces, size."),
        ({"fruit_sort": "--name"}, "Sort by name, pieces, size."),
        ({"fruit_page": "2"}, "The last page of fruit is 1."),
        *[
            ({"fruit_page": text}, "Pages have numbers from 1 to 200.")
            for text in ("", "0", "-1", "1.5", "x")
        ],
        *[({"fruit_page": text}, "from 1 to 200") for text in ("201", "9" * 5000, "²", "1e2", " 1")],
    ],
)
def test_what_does_not_exist_is_a_404_in_words(query: dict[str, str], words: str) -> None:
    with pytest.raises(HTTPException) as refused:
        TABLE.shown(asked(**query), FRUIT)
    assert refused.value.status_code == 404
    assert words in refused.value.detail


def test_a_file_has_all_rows_in_the_order_that_is_shown_and_no_formula() -> None:
    view = asked(fruit_sort="-pieces", fruit_page="1")
    many = [Fruit(FORMULA, 1000), *[Fruit(f"{n}", n) for n in range(60)]]
    assert TABLE.shown(view, many).csv == "/rfm/shop/fruit.csv?fruit_sort=-pieces&fruit_page=1"
    rows = list(csv.reader(io.StringIO(b"".join(TABLE.csv(view, many)).decode(), newline="")))
    assert rows[:3] == [
        ["name", "pieces", "size"],
        [f"'{FORMULA}", "1000", "1000 pieces"],
        ["59", "59", "59 pieces"],
    ]
    assert len(rows) == 62


def test_a_column_that_is_named_by_the_data_is_no_formula_either() -> None:
    column = Column[Fruit](FORMULA, FORMULA, lambda fruit: fruit.pieces)
    head = b"".join(Table("fruit", [column]).csv(asked(), [])).decode()
    assert next(csv.reader([head])) == [f"'{FORMULA}"]


def test_a_file_of_no_table_is_a_404_that_names_those_there_are() -> None:
    assert list(file_of("a", {"a": lambda: iter([b"1"]), "b": lambda: iter([b"2"])})) == [b"1"]
    with pytest.raises(HTTPException, match="It has the tables a, b"):
        file_of("c", {"a": lambda: iter([b"1"]), "b": lambda: iter([b"2"])})
