"""Trends over all snapshots of a variant."""

import csv
import io
from datetime import date

from fastapi.testclient import TestClient

from tests.pages.conftest import AS_OF, Shop
from tests.pages.test_overview import EARLIER, VARIANT, words


def test_every_date_of_the_variant_is_there_the_newest_first(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    shop(AS_OF)
    shop(date(2011, 12, 8), VARIANT)
    text = words(reader.get("/trends").text)
    assert "2 snapshots. Segments are those of 2011-12-10." in text
    table = text[text.index("Customers at each date") :]
    assert "2011-12-10 5 1,117 2 0 0 0 2 0 0 0 0 0 1 2011-12-09 5 1,117" in table
    assert "2011-12-08" not in table
    assert "2011-12-08 5" in words(reader.get("/trends", params={"snapshot": f"2011-12-08/{VARIANT}"}).text)


def test_a_date_leads_to_its_overview(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER, VARIANT)
    page = reader.get("/trends", params={"snapshot": f"2011-12-09/{VARIANT}"}).text
    assert '<th scope="row"><a href="/?snapshot=2011-12-09%2Fsegment_map%3Drf10">2011-12-09</a>' in page


def test_its_pictures_say_what_they_show(reader: TestClient, shop: Shop) -> None:
    shop()
    page = reader.get("/trends").text
    assert 'aria-label="Customers of each segment by as-of date."' in page
    assert 'aria-label="Cut points of spent by as-of date, at last -5.00, -5.00, 12.00, 100.00."' in page


def test_all_dates_are_downloaded_the_oldest_first(reader: TestClient, shop: Shop) -> None:
    shop(AS_OF)
    shop(EARLIER)
    answer = reader.get("/trends.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="trends.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 2 * 11
    assert rows[0] == {
        "as_of": "2011-12-09",
        "segment": "Champions",
        "customers": "2",
        "customer_share": "0.4",
        "revenue": "1100.00",
        "revenue_share": "",
    }
    assert rows[-1]["as_of"] == "2011-12-10"


def test_a_damaged_snapshot_is_left_out_and_named(reader: TestClient, shop: Shop) -> None:
    shop(AS_OF)
    (shop(EARLIER) / "cut_points.json").write_text("{")
    text = words(reader.get("/trends").text)
    assert "1 snapshot." in text
    assert "Left out: 2011-12-09," in text
    assert "clear the run from `publish` onwards" in text
