"""The look-up of a customer."""

import re
import shutil
from datetime import date
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from include.lake.paths import Lake
from include.lake.record import RECORD, PublishedConfig, RunRecord
from include.lake.state import read_state, state_text
from include.pipeline import PROJECT
from include.settings import Params, RunConfig, load_config
from tests.pages.conftest import AS_OF, Shop
from tests.pages.test_overview import words
from tests.unit.published.small import FORMULA
from tests.unit.published.small_lake import CORRECTED, with_orders, write_manifest, write_orders


def looked_up(reader: TestClient, customer_id: str) -> str:
    answer = reader.get("/customer", params={"id": customer_id})
    assert answer.status_code == 200
    return words(answer.text)


def test_without_an_id_it_asks_for_one(reader: TestClient, shop: Shop) -> None:
    shop()
    answer = reader.get("/customer")
    assert answer.status_code == 200
    assert "Look a customer up" in answer.text


def test_scores_have_the_range_of_values_that_they_are_for(reader: TestClient, shop: Shop) -> None:
    shop()
    text = looked_up(reader, " 12349 ")
    assert "Recency, days ago 40 3 more than 1, up to 41" in text
    assert "Frequency, orders 1 1 up to 1" in text
    assert "Monetary, spent 10.00 3 more than -5.00, up to 12.00" in text
    assert "The code 313 belongs to Promising" in text


def test_it_says_what_lifts_into_better_segments(reader: TestClient, shop: Shop) -> None:
    """One more order makes it two, so R 5 and F 4; spending 10.00 is M 3, more than 12.00 M 4."""
    shop()
    text = looked_up(reader, "12349")
    assert "Champions 1 2.01 544" in text


def test_it_says_what_happens_if_nothing_is_bought(reader: TestClient, shop: Shop) -> None:
    """Recency may be 41 for a 3; from 42 on it is a 1, and 113 is Can't Lose Them."""
    shop()
    assert "to in days score then Can't Lose Them 2 113" in looked_up(reader, "12349")
    assert "The customer stays Lost." in looked_up(reader, "12350")


def test_the_history_has_earlier_snapshots_and_not_later_ones(reader: TestClient, shop: Shop) -> None:
    for day in (8, 9, 10):
        shop(date(2011, 12, day))
    answer = reader.get("/customer", params={"id": "12347", "snapshot": "2011-12-09"})
    text = words(answer.text)
    history = text[text.index("History") :]
    assert "2011-12-09 Champions 555 1 9 1,000.00 2011-12-08 Champions" in history
    assert "2011-12-10" not in history


def test_an_unknown_id_is_a_404_that_says_how_ids_are_written(reader: TestClient, shop: Shop) -> None:
    shop()
    answer = reader.get("/customer", params={"id": "<script>1</script>"})
    assert answer.status_code == 404
    assert "No customer has the id &lt;script&gt;1&lt;/script&gt;" in answer.text
    assert (
        "Ids are as in the shop&#39;s files" in answer.text or "Ids are as in the shop's files" in answer.text
    )
    assert "<script" not in answer.text


@pytest.mark.parametrize("text", ["x" * 201, "x" * 10_000])
def test_a_long_id_is_refused(reader: TestClient, shop: Shop, text: str) -> None:
    shop()
    answer = reader.get("/customer", params={"id": text})
    assert answer.status_code == 404
    assert "wrong is: id." in answer.text


def test_an_id_like_a_formula_stays_text(reader: TestClient, shop: Shop) -> None:
    shop()
    assert f"Customer {FORMULA}" in looked_up(reader, FORMULA)


def test_a_long_history_has_dates_over_all_snapshots_or_each_of_the_last(
    reader: TestClient, shop: Shop
) -> None:
    for day in range(1, 26):
        shop(date(2011, 12, day))

    def days(**query: str) -> list[str]:
        page = reader.get("/customer", params={"id": "12347", **query}).text
        return re.findall(r'<th scope="row"><a [^>]*>2011-12-(\d\d)</a>', page)

    assert days() == ["25", "22", "19", "16", "13", "10", "07", "04", "01"]
    assert days(every_date="true") == [f"{day:02}" for day in range(25, 0, -1)]


# -- orders -------------------------------------------------------------------------------------


def orders_in(lake: Lake, config: RunConfig, folder: Path) -> None:
    """The orders behind a published snapshot."""
    write_orders(lake, config)
    record = with_orders(read_state(folder / RECORD, RunRecord), config)
    (folder / RECORD).write_text(state_text(record))


def rows_of(page: str) -> list[list[str]]:
    """The cells of the table of orders."""
    part = page[page.index('<h2 id="orders">') : page.index('<h2 id="history">')]
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", part, re.S)
    return [words(row).split() for row in rows]


def test_the_orders_are_there_with_the_newest_first(
    reader: TestClient, shop: Shop, lake: Lake, config: RunConfig
) -> None:
    orders_in(lake, config, shop())
    answer = reader.get("/customer", params={"id": "12347"})
    assert "3 orders and cancellations before 2011-12-10" in answer.text
    assert rows_of(answer.text) == [
        ["2011-12-09", "C53637", "cancellation", "-20.00", "1"],
        ["2011-12-09", "536366", "purchase", "1,000.00", "1"],
        ["2011-12-01", "536365", "purchase", "20.51", "3"],
    ]
    by_amount = reader.get("/customer", params={"id": "12347", "orders_sort": "amount"}).text
    assert [row[1] for row in rows_of(by_amount)] == ["C53637", "536365", "536366"]


def test_the_orders_of_a_variant_are_there_too(reader: TestClient, shop: Shop, lake: Lake) -> None:
    variant = load_config(PROJECT / "include" / "config", Params(lookback_days=8))
    folder = shop(AS_OF, variant.variant)
    record = read_state(folder / RECORD, RunRecord)
    described = PublishedConfig.model_validate(variant.model_dump(mode="json"))
    (folder / RECORD).write_text(state_text(record.model_copy(update={"config": described})))
    orders_in(lake, variant, folder)
    page = reader.get("/customer", params={"id": "12347", "snapshot": f"2011-12-10/{variant.variant}"}).text
    assert "2 orders and cancellations from 2011-12-02 on before 2011-12-10" in page
    assert [row[1] for row in rows_of(page)] == ["C53637", "536366"]


def test_orders_are_downloaded_with_exact_amounts(
    reader: TestClient, shop: Shop, lake: Lake, config: RunConfig
) -> None:
    orders_in(lake, config, shop())
    page = reader.get("/customer", params={"id": "12347"}).text
    (link,) = re.findall(r'<a href="([^"]*/orders.csv[^"]*)" download>', page)
    answer = reader.get(link.replace("&amp;", "&"))
    name = 'attachment; filename="orders-of-12347-2011-12-10.csv"'
    assert answer.headers["content-disposition"] == name
    assert answer.text.splitlines() == [
        "order_date,invoice_no,line_type,amount,lines",
        "2011-12-09,C53637,cancellation,-20.00,1",
        "2011-12-09,536366,purchase,1000.00,1",
        "2011-12-01,536365,purchase,20.505,3",
    ]


def test_in_a_large_lake_the_orders_are_searched_when_somebody_asks(
    reader: TestClient, shop: Shop, lake: Lake, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders_in(lake, config, shop())
    monkeypatch.setattr("include.pages.customer.AT_ONCE_BYTES", 100)
    page = reader.get("/customer", params={"id": "12347"}).text
    assert rows_of(page) == []
    (link,) = re.findall(r'<a href="([^"]*)">Show the orders</a>', page)
    assert len(rows_of(reader.get(link.replace("&amp;", "&")).text)) == 3


def test_orders_of_files_that_have_changed_are_said_to_be_missing(
    reader: TestClient, shop: Shop, lake: Lake, config: RunConfig
) -> None:
    orders_in(lake, config, shop())
    write_manifest(lake, config, {CORRECTED: "b1"})
    text = looked_up(reader, "12347")
    assert "Orders of 1 landed file is missing, such as shop/1.csv: gone or replaced after" in text


def test_without_orders_in_the_lake_the_page_says_so_and_shows_the_rest(
    reader: TestClient, shop: Shop, lake: Lake, config: RunConfig
) -> None:
    orders_in(lake, config, shop())
    shutil.rmtree(lake.root / "orders")
    text = looked_up(reader, "12347")
    assert "The orders cannot be shown:" in text
    assert "batch=b1 is gone; clear the run from `ingest` onwards." in text
    assert "What would lift the customer" in text
    answer = reader.get("/customer/orders.csv", params={"id": "12347"})
    assert answer.status_code == 409
    assert "batch=b1 is gone" in answer.text


def test_lifts_falls_and_history_are_downloaded(reader: TestClient, shop: Shop) -> None:
    shop()
    asked = {"id": "12349"}
    lifts = reader.get("/customer/lifts.csv", params=asked).text.splitlines()
    assert lifts[0] == "segment,more_orders,more_spend,rfm_score"
    assert "Champions,1,2.01,544" in lifts
    falls = reader.get("/customer/falls.csv", params=asked).text.splitlines()
    assert falls == ["segment,days,rfm_score", "Can't Lose Them,2,113"]
    history = reader.get("/customer/history.csv", params=asked).text.splitlines()
    assert history[1] == "2011-12-10,Promising,313,40,1,10.00"
    assert reader.get("/customer/history.csv", params={"id": "nobody"}).status_code == 404
    assert reader.get("/customer/history.csv").status_code == 404
