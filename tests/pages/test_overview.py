"""The overview: the picker of dates, and what the report shows."""

import re
from collections import Counter
from datetime import date
from html import unescape

import pytest
from fastapi.testclient import TestClient

from include.lake.paths import Lake
from include.lake.record import RECORD, RunRecord
from include.lake.state import read_state, state_text
from include.pages.live_charts import VEGA
from include.pipeline import REPORT
from tests.pages.conftest import AS_OF, Shop
from tests.unit.published.small import HOSTILE

EARLIER = date(2011, 12, 9)
VARIANT = "segment_map=rf10"


def words(html: str) -> str:
    """The text of a page."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def test_the_newest_snapshot_is_shown_unless_another_is_asked_for(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    shop(AS_OF)
    shop(AS_OF, VARIANT)
    assert "<h1>Customer segments as of 2011-12-10</h1>" in reader.get("/").text
    earlier = reader.get("/", params={"snapshot": "2011-12-09"}).text
    assert "<h1>Customer segments as of 2011-12-09</h1>" in earlier
    variant = words(reader.get("/", params={"snapshot": f"2011-12-10/{VARIANT}"}).text)
    assert f"Variant {VARIANT}." in variant


def test_a_time_is_written_for_people(reader: TestClient, shop: Shop) -> None:
    shop(AS_OF)
    assert "Published 2011-12-10 02:05 UTC, run manual__1" in words(reader.get("/").text)


def test_all_dates_and_variants_can_be_picked_the_newest_first(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    shop(AS_OF, VARIANT)
    shop(AS_OF)
    page = reader.get("/", params={"snapshot": "2011-12-09"}).text
    options = re.findall(r'<option value="(.*?)"( selected)?>', page)
    assert options == [("2011-12-10", ""), (f"2011-12-10/{VARIANT}", ""), ("2011-12-09", " selected")]


def test_it_has_the_numbers_of_the_snapshot(reader: TestClient, shop: Shop) -> None:
    shop()
    text = words(reader.get("/").text)
    for expected in [
        "customers 5",
        "spent 1,117",
        "orders 16",
        "Champions 2 +1 40.0% 1,100",
        "since 2011-11-10",
        "Bought days ago, buy often and spend the most.",
    ]:
        assert expected in text


def test_each_segment_links_to_its_customers(reader: TestClient, shop: Shop) -> None:
    shop()
    shop(AS_OF, VARIANT)
    for snapshot in ("2011-12-10", f"2011-12-10/{VARIANT}"):
        page = reader.get("/", params={"snapshot": snapshot}).text
        links = re.findall(r'href="([^"]*/segments/[^"]*)"', page)
        assert len(links) == 11
        assert "Can&#39;t Lose Them" in page
        for link in links:
            assert reader.get(link).status_code == 200, link


def test_its_pictures_say_what_they_show_and_need_no_style_of_their_own(
    reader: TestClient, shop: Shop
) -> None:
    shop()
    page = reader.get("/").text
    assert page.count('<svg role="img" aria-label="') == 7
    scripts = Counter(re.findall(r"<script [^>]*>", page))
    assert scripts == {
        '<script type="application/json">': 7,
        f'<script type="module" src="/static/{VEGA}">': 1,
        '<script type="module" src="/static/charts.js">': 1,
    }
    assert not re.search(r"<script>|<style|\sstyle=|\son\w+=|<base|<iframe|(?:href|src)=\"https?:", page)


def test_warnings_of_all_tasks_are_shown(reader: TestClient, shop: Shop) -> None:
    file = shop() / RECORD
    record = read_state(file, RunRecord)
    stage = record.stages["publish"].model_copy(update={"warnings": [f"no sales on {HOSTILE}"]})
    file.write_text(state_text(record.model_copy(update={"stages": record.stages | {"publish": stage}})))
    page = reader.get("/").text
    assert f"Warning: no sales on {HOSTILE}" in words(page)
    assert HOSTILE not in page


def test_text_from_data_stays_text(reader: TestClient, shop: Shop) -> None:
    shop()
    page = reader.get("/").text
    assert "&lt;script&gt;" in page
    assert HOSTILE not in page


def test_the_report_is_linked_where_the_snapshot_has_one(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    (shop(AS_OF) / REPORT).write_text("<!DOCTYPE html><title>a report</title>")
    (link,) = re.findall(r'<a href="([^"]*report.html)"', reader.get("/").text)
    assert reader.get(link).text == "<!DOCTYPE html><title>a report</title>"
    assert "report.html" not in reader.get("/", params={"snapshot": "2011-12-09"}).text


# -- nothing to show ----------------------------------------------------------------------------


def test_a_lake_without_a_snapshot_says_how_to_make_one(reader: TestClient, lake: Lake) -> None:
    lake.root.mkdir()
    for address in ("/", "/customer", "/snapshots/2011-12-10/"):
        answer = reader.get(address)
        assert answer.status_code == 404
        assert "No snapshot is published yet" in answer.text
        assert "Trigger the DAG rfm_segmentation" in answer.text


def test_a_lake_that_is_away_is_named(reader: TestClient, lake: Lake) -> None:
    answer = reader.get("/")
    assert answer.status_code == 409
    assert f"the lake cannot be reached at {lake.root} (No such file or directory)" in answer.text


def test_a_date_that_is_not_published_is_answered_with_those_that_are(reader: TestClient, shop: Shop) -> None:
    shop(EARLIER)
    shop(AS_OF)
    answer = reader.get("/", params={"snapshot": "2011-12-01"})
    assert answer.status_code == 404
    assert "No snapshot as of 2011-12-01 is published here." in answer.text
    assert "Published are 2011-12-10, 2011-12-09." in answer.text


@pytest.mark.parametrize("name", ["x", "2011-13-01", "2011-12-10/", "2011-12-10/../x", "<script>", ""])
def test_what_is_no_name_of_a_snapshot_is_refused(reader: TestClient, shop: Shop, name: str) -> None:
    shop()
    answer = reader.get("/", params={"snapshot": name})
    assert answer.status_code == 404
    assert "No snapshot has this name." in answer.text
    assert "<script" not in answer.text


def test_a_damaged_snapshot_says_what_to_clear(reader: TestClient, shop: Shop) -> None:
    (shop() / "cut_points.json").unlink()
    answer = reader.get("/")
    assert answer.status_code == 409
    assert "clear the run from `publish` onwards" in answer.text
