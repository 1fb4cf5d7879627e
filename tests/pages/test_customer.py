"""The look-up of a customer."""

import re
from datetime import date

import pytest
from fastapi.testclient import TestClient

from tests.pages.conftest import Shop
from tests.pages.test_overview import words
from tests.unit.published.small import FORMULA


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
    assert "Can't Lose Them in 2 days (score 113)" in looked_up(reader, "12349")
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
