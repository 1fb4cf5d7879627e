"""The report of the sample shop in a browser: on a desk, on a phone, in the dark and on paper.

With RFM_PICTURES=include/docs/pictures these tests also take the pictures of the report and of the pages.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from include.commands import sample
from include.pipeline import LAKE_VARIABLE, PAGES_PREFIX
from tests.browser import browser, picture
from tests.jobs.conftest import Snapshot
from tests.pages.conftest import open_page, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = {"desk": 1000, "phone": 390}
MONTHS = [f"2025-{month:02}-01" for month in range(5, 13)]  # of the snapshots before that of the report


@pytest.fixture(scope="module")
def report(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report that `make run` ends with."""
    lake = tmp_path_factory.mktemp("sample") / "lake"
    sample.main([str(lake / "landing" / "sample")])
    return snapshot(lake, "2026-01-01") / "report.html"


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    with browser() as started:
        yield started


def opened(chromium: "Browser", report: Path, *, width: int = 1160, theme: str = "light") -> "Page":
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    page.goto(report.as_uri())
    return page


def test_it_asks_for_nothing_and_has_no_error(chromium: "Browser", report: Path) -> None:
    page = chromium.new_page()
    asked, problems = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: problems.append(message.text))
    page.goto(report.as_uri())
    assert asked == [report.as_uri()]
    assert problems == []


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_it_is_as_wide_as_the_window(chromium: "Browser", report: Path, width: int) -> None:
    page = opened(chromium, report, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(chromium: "Browser", report: Path, theme: str) -> None:
    """Text of the page and of its charts has the colour that stands out from the paper."""
    page = opened(chromium, report, theme=theme)
    ink = "getComputedStyle(document.querySelector('{}')).{}"
    paper = brightness(page.evaluate(ink.format("body", "backgroundColor")))
    for text in ("h1", "td", "svg .role-axis-label text"):
        colour = page.evaluate(ink.format(text, "fill" if "svg" in text else "color"))
        assert abs(brightness(colour) - paper) > 150, text


def brightness(colour: str) -> float:
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_it_prints_on_two_pages(chromium: "Browser", report: Path) -> None:
    printed = opened(chromium, report).pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2


def test_each_chart_says_what_it_shows(chromium: "Browser", report: Path) -> None:
    page = opened(chromium, report)
    labels = page.get_by_role("img").evaluate_all("charts => charts.map(c => c.getAttribute('aria-label'))")
    assert len(labels) == 7
    assert "The largest is Hibernating." in labels[0]


def test_the_readme_s_picture_is_of_this_report(chromium: "Browser", report: Path) -> None:
    page = opened(chromium, report)
    picture(page, "report")
    shown = page.get_by_role("img").first.bounding_box()
    assert shown and shown["y"] + shown["height"] < 900, "the treemap is in the picture"


def test_the_pictures_of_the_pages_are_of_the_same_shop(
    chromium: "Browser", report: Path, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not os.environ.get("RFM_PICTURES"):
        pytest.skip("no pictures wanted: set RFM_PICTURES to their folder")
    lake = report.resolve().parents[3]
    for as_of in MONTHS:
        snapshot(lake, as_of, first="rfm")
    monkeypatch.setenv(LAKE_VARIABLE, str(lake))
    with serving() as address:
        page = chromium.new_page(viewport={"width": 1160, "height": 760})
        open_page(page, f"{address}{PAGES_PREFIX}/")
        page.get_by_role("img", name="Areas").locator(".mark-rect path").nth(3).hover()
        picture(page, "overview", 760)
        open_page(page, f"{address}{PAGES_PREFIX}/movement")
        page.get_by_role("img", name="Number of customers").locator(".mark-rect path").nth(1).hover()
        picture(page, "movement", 760)
        open_page(page, f"{address}{PAGES_PREFIX}/trends")
        page.get_by_role("img", name="Customers of each").locator(".mark-rect path").nth(40).hover()
        picture(page, "trends", 760)
        page.close()
