"""Movement between any two dates."""

import re
from datetime import date

import pytest
from fastapi.testclient import TestClient

from tests.pages.conftest import AS_OF, Shop
from tests.pages.test_overview import VARIANT, words
from tests.pages.test_segment import write_many
from tests.unit.published.small import FORMULA, HOSTILE

EARLIER, LONG_AGO = date(2011, 12, 9), date(2011, 11, 1)


def test_the_newest_snapshot_is_compared_with_one_about_a_month_before(
    reader: TestClient, shop: Shop
) -> None:
    for day in (AS_OF, EARLIER, date(2011, 11, 10), LONG_AGO):
        shop(day)
    assert "<h1>Movement to 2011-12-10 since 2011-11-10</h1>" in reader.get("/movement").text
    page = reader.get("/movement", params={"before": "2011-12-09"}).text
    assert "<h1>Movement to 2011-12-10 since 2011-12-09</h1>" in page


def test_the_matrix_leads_to_the_customers_of_each_number(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    write_many(shop(AS_OF), 1)  # 00000 is new, all five others are gone
    page = reader.get("/movement").text
    links = re.findall(r'href="([^"]*#list)" aria-label="(.*?)">', page)
    assert [label for _, label in links] == [
        "2, Champions to No longer counted",
        "2, Promising to No longer counted",
        "1, Lost to No longer counted",
        "1, Not yet a customer to Champions",
    ]
    answers = [reader.get(link.replace("&amp;", "&")).text for link, _ in links]
    assert "12347 Champions No longer counted 1,000.00 12348 Champions" in words(answers[0])
    assert "00000 Not yet a customer Champions 0.00 1" in words(answers[3])


def test_who_left_the_best_segment_is_listed_and_downloaded(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    write_many(shop(AS_OF), 1)
    page = reader.get("/movement").text
    assert '<h2 id="list">Left Champions</h2>' in page
    assert "2 customers." in words(page)
    (link,) = re.findall(r'<a href="([^"]*/list.csv[^"]*)" download>', page)
    answer = reader.get(link.replace("&amp;", "&"))
    name = 'attachment; filename="left-2011-12-09-2011-12-10.csv"'
    assert answer.headers["content-disposition"] == name
    assert answer.text.splitlines() == [
        "customer_id,segment_then,segment,spent_then,monetary,recency_days",
        "12347,Champions,No longer counted,1000.00,,",
        "12348,Champions,No longer counted,100.00,,",
    ]


def test_a_formula_in_a_list_is_made_harmless(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    shop(AS_OF)
    asked = {"was": "Promising", "now": "Promising"}
    assert FORMULA in words(reader.get("/movement", params=asked).text)
    lines = reader.get("/movement/list.csv", params=asked).text.splitlines()
    assert lines[2].startswith(f"'{FORMULA},Promising,Promising,12.00")


def test_the_list_and_the_matrix_are_sorted_by_a_click_and_keep_what_else_was_asked(
    reader: TestClient, shop: Shop
) -> None:
    shop(EARLIER)
    write_many(shop(AS_OF), 1)
    page = reader.get("/movement", params={"group": "left", "matrix_sort": "-No longer counted"}).text
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th>', page)
    assert rows == ["Champions", "Promising", "Lost", "Not yet a customer"]
    (link,) = re.findall(r'<a href="([^"]*)">spent now</a>', page)
    assert "group=left" in link and "matrix_sort=-No+longer+counted" in link
    (link,) = re.findall(r'<a href="([^"]*)">customer</a>', page)
    for expected in (["12347", "12348"], ["12348", "12347"]):
        page = reader.get(link.replace("&amp;", "&")).text
        assert re.findall(r'<th scope="row"><a [^>]*>(.*?)</a>', page) == expected
        (link,) = re.findall(r'<a href="([^"]*)">customer</a>', page)


def test_the_matrix_is_downloaded(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    write_many(shop(AS_OF), 1)
    answer = reader.get("/movement/matrix.csv")
    name = 'attachment; filename="movement-2011-12-09-2011-12-10.csv"'
    assert answer.headers["content-disposition"] == name
    assert answer.text.splitlines() == [
        "then,Champions,No longer counted",
        "Champions,,2",
        "Promising,,2",
        "Lost,,1",
        "Not yet a customer,1,",
    ]


def test_nobody_is_won_back_where_nobody_was_away_before(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    shop(AS_OF)
    text = words(reader.get("/movement", params={"group": "won-back"}).text)
    assert "Nobody." in text


def test_one_snapshot_alone_says_what_to_do(reader: TestClient, shop: Shop) -> None:
    shop(AS_OF)
    shop(EARLIER, VARIANT)  # not to be compared with it
    assert "There is no earlier snapshot to compare this one with." in words(reader.get("/movement").text)
    assert reader.get("/movement/list.csv").status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"before": "2011-12-10"}, "Choose one of 2011-12-09."),
        ({"before": f"2011-12-09/{VARIANT}"}, "Choose one of 2011-12-09."),
        ({"before": "2011-12-01"}, "Published are 2011-12-10, 2011-12-09."),
        ({"before": "x"}, "No snapshot has this name."),
        ({"group": HOSTILE}, "There are left and won-back"),
        ({"list_page": "2"}, "The last page of list is 1."),
        ({"list_page": "x"}, "Pages have numbers from 1 to 200."),
    ],
)
def test_what_does_not_exist_is_a_404(
    reader: TestClient, shop: Shop, query: dict[str, str], expected: str
) -> None:
    shop(EARLIER)
    shop(EARLIER, VARIANT)
    shop(AS_OF)
    answer = reader.get("/movement", params=query)
    assert answer.status_code == 404
    assert expected in answer.text
    assert "<script" not in answer.text


def test_unknown_segments_have_no_customers_and_stay_text(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    shop(AS_OF)
    page = reader.get("/movement", params={"was": HOSTILE, "now": "Kings"}).text
    assert "Nobody." in page
    assert HOSTILE not in page
