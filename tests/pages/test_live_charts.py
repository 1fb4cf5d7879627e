"""Live charts: what is sent, what is shown at the pointer, and where a click leads."""

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import altair as alt
import pytest
from fastapi.testclient import TestClient

from include.pages.live_charts import VEGA, figure
from include.pipeline import PAGES_PREFIX
from include.settings import RunConfig, SegmentMap
from tests.pages.conftest import AS_OF, Shop, open_page, problems_of
from tests.pages.test_overview import EARLIER
from tests.pages.test_quality import with_files
from tests.unit.published import small
from tests.unit.published.small import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

MINUS = "\u2212"  # before negative numbers


@pytest.fixture
def config(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    """With a hostile name for the segment Promising, which two customers have."""
    for name in ("CUSTOMERS", "MOVES"):
        rows = [tuple(HOSTILE if v == "Promising" else v for v in row) for row in getattr(small, name)]
        monkeypatch.setattr(small, name, rows)
    segments = [
        segment.model_copy(update={"name": HOSTILE}) if segment.name == "Promising" else segment
        for segment in config.segment_map.segments
    ]
    return config.model_copy(update={"segment_map": SegmentMap(segments=segments)})


@pytest.fixture
def address(shop: Shop, served: str) -> str:
    """The pages of two snapshots."""
    with_files(shop(EARLIER))
    with_files(shop(AS_OF))
    return f"{served}{PAGES_PREFIX}/"


# -- what is sent -------------------------------------------------------------------------------


def test_a_specification_is_sent_whole_and_cannot_end_its_element() -> None:
    rows = [{"name": f"</script>{HOSTILE}<!--", "n": 1}]
    chart = alt.Chart(alt.InlineData(values=rows), description="d & d").mark_bar().encode(x="n:Q", y="name:N")
    html = figure(chart)
    (sent,) = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    assert json.loads(sent) == chart.to_dict()
    assert html.count("<script") == html.count("</script>") == 1
    assert "<!--" not in html


def test_vega_is_sent_to_be_kept_by_the_browser_alone(reader: TestClient) -> None:
    answer = reader.get(f"/static/{VEGA}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert "vegaEmbed" in answer.text
    assert reader.get("/static/vega-0.0.0.js").status_code == 404


# -- in a browser -------------------------------------------------------------------------------


def told_at(page: "Page") -> list[str]:
    """What is shown at the pointer, as name and value in turn."""
    shown = page.locator(".vg-tooltip.visible td")
    shown.first.wait_for()
    return shown.all_inner_texts()


def chart_of(page: "Page", description: str) -> "Locator":
    """A live chart by the start of its description, as a screen reader finds it."""
    return page.get_by_role("img", name=re.compile(f"^{description}"))


# The page and the description of a chart, and what one of its marks says.
SAID = [
    ("", "Areas", ["segment", HOSTILE, "customers", "2", "share", "40.0%"]),
    (
        "",
        "Number of customers for each pair",
        ["recency score", "3", "frequency score", "1", "customers", "2"],
    ),
    ("", "Number of customers in the countries", ["country", HOSTILE, "customers", "2"]),
    ("movement", "Number of customers for", ["then", HOSTILE, "now", HOSTILE, "customers", "2"]),
    ("trends", "Customers of each", ["as of", "2011-12-09", "segment", HOSTILE, "customers", "2"]),
    (
        "quality",
        "Share of the landed",
        ["as of", "2011-12-10", "reason", "missing customer", "share", "6.7%"],
    ),
]


def test_a_mark_says_at_the_pointer_what_it_stands_for(chromium: "Browser", address: str) -> None:
    page = chromium.new_page()
    problems = problems_of(page)
    for path, description, expected in SAID:
        open_page(page, f"{address}{path}")
        said = []
        for mark in chart_of(page, description).locator(".mark-rect path").filter(visible=True).all():
            mark.hover()
            said.append(told_at(page))
        assert expected in said, description
    assert problems == []
    page.close()


@pytest.mark.parametrize("days", [3, 41])
def test_a_chart_of_many_dates_says_all_values_of_the_one_at_the_pointer(
    chromium: "Browser", shop: Shop, served: str, days: int
) -> None:
    """A few dates are bars, more an area. A date is the same one west of Greenwich."""
    for day in range(days):
        shop(AS_OF - timedelta(days=day))
    page = chromium.new_page(timezone_id="America/Los_Angeles")
    problems = problems_of(page)
    open_page(page, f"{served}{PAGES_PREFIX}/trends")
    chart_of(page, "Cut points of spent").locator(".background").first.hover(force=True)
    middle = str(AS_OF - timedelta(days=days // 2))
    cuts = ["cut 1", "-5", "cut 2", "-5", "cut 3", "12", "cut 4", "100"]
    assert [text.replace(MINUS, "-") for text in told_at(page)] == ["as of", middle, *cuts]
    if days > 40:
        chart_of(page, "Customers of each").locator(".background").first.hover(force=True)
        told = told_at(page)
        assert told[:2] == ["as of", middle]
        values = dict(zip(told[::2], told[1::2], strict=True))
        assert [values[name] for name in ("Champions", HOSTILE, "Lost")] == ["2", "2", "1"]
    assert problems == []
    page.close()


def test_a_click_on_a_segment_opens_its_customers(chromium: "Browser", address: str) -> None:
    page = chromium.new_page()
    for place, segment in enumerate(["Champions", HOSTILE]):
        open_page(page, address)
        area = chart_of(page, "Areas").locator(".mark-rect path").nth(place)
        area.hover()
        assert chart_of(page, "Areas").evaluate("chart => chart.style.cursor") == "pointer"
        area.click()
        page.get_by_role("heading", name=f"{segment} as of 2011-12-10").wait_for()
    page.close()


def test_in_a_frame_of_airflow_a_click_opens_them_too(chromium: "Browser", address: str, served: str) -> None:
    page = chromium.new_page()
    page.goto(f"{served}/frame")
    inside = page.frame_locator("iframe")
    inside.locator(".chart.live .mark-rect path").first.click()
    inside.get_by_role("heading", name="Champions as of 2011-12-10").wait_for()
    page.close()


def test_a_click_on_a_move_opens_its_customers(chromium: "Browser", address: str) -> None:
    page = chromium.new_page()
    open_page(page, f"{address}movement")
    chart_of(page, "Number of customers").locator(".mark-rect path").first.click()
    page.get_by_role("heading", name=f"{HOSTILE}, now {HOSTILE}").wait_for()
    page.close()


def test_a_click_on_what_has_no_page_of_its_own_leads_nowhere(chromium: "Browser", address: str) -> None:
    page = chromium.new_page()
    open_page(page, address)
    countries = chart_of(page, "Number of customers in the countries")
    countries.locator(".mark-rect path").first.click()
    assert countries.evaluate("chart => chart.style.cursor") != "pointer"
    assert page.url == address
    page.close()


def test_a_screen_reader_says_of_live_charts_what_it_says_of_pictures(
    chromium: "Browser", address: str
) -> None:
    names = "charts => charts.map(chart => chart.getAttribute('aria-label'))"
    page = chromium.new_page(java_script_enabled=False)
    page.goto(address)
    pictures = page.get_by_role("img").evaluate_all(names)
    page.close()
    page = chromium.new_page()
    open_page(page, address)
    assert page.get_by_role("img").evaluate_all(names) == pictures
    assert len(pictures) == 7
    page.close()


def test_the_pictures_stay_where_vega_cannot_be_loaded(chromium: "Browser", address: str) -> None:
    page = chromium.new_page()
    page.route(f"**/{VEGA}", lambda route: route.abort())
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert page.locator("svg[role=img]").count() == 7
    page.close()


def test_nothing_is_loaded_from_elsewhere(chromium: "Browser", address: str) -> None:
    page = chromium.new_page()
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    for path in ("", "movement", "trends", "quality"):
        open_page(page, f"{address}{path}")
    assert f"{address}static/{VEGA}" in asked
    assert [url for url in asked if not url.startswith(address.removesuffix("rfm/"))] == []
    page.close()
