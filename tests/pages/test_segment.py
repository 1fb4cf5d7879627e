"""The customers of a segment: sorted, in pages, and as a CSV file for a campaign tool."""

import csv
import io
import re
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from include.published.tables import CUSTOMER_SEGMENTS
from tests.pages.conftest import AS_OF, Shop
from tests.unit.published.small import FORMULA, HOSTILE, customer_row

CHAMPIONS = "/snapshots/2011-12-10/segments/Champions"
PROMISING = "/snapshots/2011-12-10/segments/Promising"


def ids(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a [^>]*>(.*?)</a>', page)


def write_many(folder: Path, number: int) -> None:
    """Champions who spent 0, 1, 2, ... in the summary and in the table."""
    rows = [customer_row(f"{n:05}", "EIRE", 1, 9, f"{n}.00", "555", "Champions") for n in range(number)]
    pq.write_table(
        pa.Table.from_pylist(rows, CUSTOMER_SEGMENTS.arrow_schema), folder / "customer_segments.parquet"
    )
    summary = folder / "segment_summary.csv"
    summary.write_text(summary.read_text().replace("Champions,2,", f"Champions,{number},"))


def test_customers_who_spent_the_most_come_first(reader: TestClient, shop: Shop) -> None:
    shop()
    page = reader.get(CHAMPIONS).text
    assert ids(page) == ["12347", "12348"]
    assert "Customers 1 to 2 of 2" in page
    assert "2 customers, 40.0% of all." in page


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("monetary", "12348"),
        ("-monetary", "12347"),
        ("frequency", "12348"),
        ("customer_id", "12347"),
        ("-customer_id", "12348"),
        ("rfm_score", "12348"),
        ("country", "12347"),  # the same one: by id
        ("-recency_days", "12347"),
    ],
)
def test_they_can_be_sorted(reader: TestClient, shop: Shop, sort: str, first: str) -> None:
    shop()
    assert ids(reader.get(CHAMPIONS, params={"sort": sort}).text)[0] == first


def test_a_heading_says_how_it_is_sorted_and_leads_to_the_other_way(reader: TestClient, shop: Shop) -> None:
    shop()
    page = reader.get(CHAMPIONS, params={"sort": "monetary"}).text
    assert re.findall(r'aria-sort="(\w+)"><a href="[^"]*\?sort=(.*?)#customers">(\w+)', page) == [
        ("ascending", "-monetary", "spent")
    ]


def test_there_are_fifty_on_a_page(reader: TestClient, shop: Shop) -> None:
    write_many(shop(), 120)
    second = reader.get(CHAMPIONS, params={"sort": "-monetary", "page": 2}).text
    assert ids(second) == [f"{n:05}" for n in range(69, 19, -1)]
    assert "Customers 51 to 100 of 120" in second
    assert ids(reader.get(CHAMPIONS, params={"sort": "-monetary", "page": 3}).text)[-1] == "00000"
    links = dict(re.findall(r'<a href="[^"]*page=(\d)#customers" rel="\w+">(Previous|Next)</a>', second))
    assert links == {"1": "Previous", "3": "Next"}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"page": "2"}, "The last page of customers is 1."),
        ({"page": "0"}, "Pages have numbers from 1 to 200."),
        ({"page": "x"}, "Pages have numbers from 1 to 200."),
        ({"sort": "raw"}, "Sort by customer_id, country, last_purchase_date"),
    ],
)
def test_a_page_or_an_order_that_does_not_exist_is_a_404(
    reader: TestClient, shop: Shop, query: dict[str, str], words: str
) -> None:
    shop()
    answer = reader.get(CHAMPIONS, params=query)
    assert answer.status_code == 404
    assert words in answer.text


def test_an_unknown_segment_is_answered_with_those_of_the_snapshot(reader: TestClient, shop: Shop) -> None:
    shop()
    for kind in ("segments", "campaigns"):
        answer = reader.get(f"/snapshots/2011-12-10/{kind}/<b>Kings<%2fb>")
        assert answer.status_code == 404
        assert "It has Champions, Loyal Customers," in answer.text
        assert "<b>" not in answer.text


def test_an_empty_segment_says_so(reader: TestClient, shop: Shop) -> None:
    shop()
    page = reader.get("/snapshots/2011-12-10/segments/Can't Lose Them")
    assert page.status_code == 200
    assert "No customer has this segment." in page.text


def test_text_from_data_stays_text_and_the_link_leads_to_the_customer(reader: TestClient, shop: Shop) -> None:
    shop()
    page = reader.get(PROMISING).text
    assert "&lt;script&gt;" in page and "<script" not in page
    links = re.findall(r'<th scope="row"><a href="(.*?)"', page)
    answers = [reader.get(link.replace("&amp;", "&")) for link in links]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "<h1>Customer =cmd|&#39;/c calc&#39;!A1</h1>" in answers[0].text  # spent 12, the other one 10


def test_a_segment_is_downloaded_with_all_columns_and_without_formulas(
    reader: TestClient, shop: Shop
) -> None:
    shop()
    answer = reader.get("/snapshots/2011-12-10/campaigns/Promising")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="Promising-2011-12-10.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert list(rows[0]) == CUSTOMER_SEGMENTS.names
    found = [(row["customer_id"], row["country"], Decimal(row["monetary"])) for row in rows]
    assert found == [("12349", HOSTILE, Decimal(10)), (f"'{FORMULA}", HOSTILE, Decimal(12))]


def test_a_variant_has_customers_of_its_own(reader: TestClient, shop: Shop) -> None:
    write_many(shop(AS_OF, "segment_map=rf10"), 1)
    folder = "/snapshots/variants/segment_map=rf10/2011-12-10"
    page = reader.get(f"{folder}/segments/Champions").text
    assert ids(page) == ["00000"]
    (link,) = re.findall(r'<a class="button" href="(.*?)" download>', page)
    assert reader.get(link).text.splitlines()[1].startswith("2011-12-10,00000,EIRE,")


@pytest.mark.parametrize("kind", ["segments", "campaigns"])
def test_a_damaged_table_says_what_to_clear(reader: TestClient, shop: Shop, kind: str) -> None:
    (shop() / "customer_segments.parquet").write_bytes(b"PAR1")
    answer = reader.get(f"/snapshots/2011-12-10/{kind}/Champions")
    assert answer.status_code == 409
    assert "clear the run from `publish` onwards" in answer.text
