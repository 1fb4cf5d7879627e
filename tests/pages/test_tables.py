"""Every table of every page is sorted by a click on a head, and downloaded."""

import csv
import io
import re
from datetime import date
from html import unescape

import pytest
from fastapi.testclient import TestClient

from include.lake.paths import Lake
from include.settings import RunConfig
from tests.pages.conftest import AS_OF, Shop
from tests.pages.test_customer import orders_in
from tests.pages.test_overview import EARLIER
from tests.pages.test_quality import with_files

# The tables of each page, by the region they are in.
TABLES = {
    "/": ["Table of the segments", "Lines by reason"],
    "/movement?was=Promising&now=Promising": ["Customers by segment then and now", "Customers of the list"],
    "/trends": ["Customers by date and segment"],
    "/customer?id=12349": ["Better segments and what they take", "Other segments and when they come"],
    "/customer?id=12347": ["Orders of the customer", "The customer in earlier snapshots"],
    "/quality": [
        "Table of rows by task",
        "Rejected lines by reason, with examples",
        "Table of landed files",
        "Table of runs",
    ],
    "/snapshots/2011-12-10/segments/Promising": ["Customers of the segment"],
    "/snapshots/2011-12-10/": ["Summary of the segments"],
}
ALL = [(page, table) for page, tables in TABLES.items() for table in tables]


@pytest.fixture
def two_snapshots(shop: Shop, lake: Lake, config: RunConfig) -> None:
    with_files(shop(EARLIER))
    orders_in(lake, config, with_files(shop(AS_OF)))


def table_of(page: str, label: str) -> tuple[str, str]:
    """A table of the page, and what is below it."""
    start = page.index(f'aria-label="{label}"')
    end = page.index("</table>", start)
    return page[start:end], page[end : page.index("</nav>", end)]


def rows_of(table: str) -> list[str]:
    return re.findall(r"<tr>(.*?)</tr>", table[table.index("<tbody>") :], re.S)


@pytest.mark.usefixtures("two_snapshots")
@pytest.mark.parametrize(("address", "label"), ALL)
def test_each_head_sorts_the_table_one_way_and_then_the_other(
    reader: TestClient, address: str, label: str
) -> None:
    table, _ = table_of(reader.get(address).text, label)
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table)
    links = [re.search(r'<a href="(.*?)">', head) for head in heads]
    assert len(links) > 1 and all(links)
    for place, link in enumerate(links):
        assert link is not None
        orders, following = [], link[1]
        for _ in range(2):
            answer = reader.get(unescape(following))
            assert answer.status_code == 200
            sorted_table, _ = table_of(answer.text, label)
            marked = re.findall(
                r'<th scope="col"[^>]*?(?: aria-sort="(\w+)")?><a href="(.*?)">', sorted_table
            )
            assert [head for head, (order, _) in enumerate(marked) if order] == [place]
            assert sorted(rows_of(sorted_table)) == sorted(rows_of(table))
            orders.append(marked[place][0])
            following = marked[place][1]
        assert sorted(orders) == ["ascending", "descending"]


@pytest.mark.usefixtures("two_snapshots")
@pytest.mark.parametrize(("address", "label"), ALL)
def test_each_table_is_downloaded(reader: TestClient, address: str, label: str) -> None:
    table, below = table_of(reader.get(address).text, label)
    (link,) = re.findall(r'<a href="(.*?)" download>Download as CSV</a>', below)
    answer = reader.get(unescape(link))
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment; ")
    lines = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert len(lines) > len(rows_of(table)), "the head, and all rows"
    assert len({len(line) for line in lines}) == 1


@pytest.mark.usefixtures("two_snapshots")
@pytest.mark.parametrize("address", TABLES)
def test_no_table_is_forgotten(reader: TestClient, address: str) -> None:
    """But for that of the three scores, which has no rows of data."""
    page = reader.get(address).text
    found = re.findall(r'aria-label="([^"]*)"[^>]*>\s*<table', page)
    assert len(found) == page.count("<table")
    tables = [label for label in found if label != "The scores and their limits"]
    assert set(TABLES[address]) <= set(tables)
    known = {
        label
        for page, labels in TABLES.items()
        if page.split("?")[0] == address.split("?")[0]
        for label in labels
    }
    assert set(tables) <= known


def test_a_long_table_has_pages(reader: TestClient, shop: Shop) -> None:
    for day in range(1, 61):
        shop(date.fromordinal(AS_OF.toordinal() - day))
    page = reader.get("/trends").text
    assert "60 snapshots" in page and "Page 1 of 2" in page
    (link,) = re.findall(r'<a href="([^"]*)" rel="next">Next</a>', page)
    table, below = table_of(reader.get(unescape(link)).text, "Customers by date and segment")
    assert len(rows_of(table)) == 10
    assert "Previous" in below and "Next" not in below
