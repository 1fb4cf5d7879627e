"""The pages in a browser: on a desk and on a phone, in the light and in the dark, inside a frame."""

from typing import TYPE_CHECKING, cast

import pytest

from include.pipeline import PAGES_PREFIX
from tests.pages.conftest import AS_OF, Shop, open_page, problems_of
from tests.pages.test_overview import EARLIER
from tests.pages.test_quality import with_files

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = {
    "overview": "",
    "segment": "snapshots/2011-12-10/segments/Promising",
    "customer": "customer?id=12347",
    "movement": "movement?was=Promising&now=Promising",
    "trends": "trends",
    "quality": "quality",
    "files": "snapshots/2011-12-10/",
    "error": "?snapshot=2000-01-01",
}
WIDTHS = {"desk": 1280, "phone": 390}


@pytest.fixture
def address(shop: Shop, served: str) -> str:
    """The pages of two snapshots."""
    with_files(shop(EARLIER))
    with_files(shop(AS_OF))
    return served


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_as_wide_as_the_window_and_breaks_no_rule_of_its_policy(
    chromium: "Browser", address: str, theme: str
) -> None:
    for width in WIDTHS.values():
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=cast("None", theme))
        problems = problems_of(page)
        for name, path in PAGES.items():
            open_page(page, f"{address}{PAGES_PREFIX}/{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.locator("h1").count() == 1, name
        page.close()
        assert [problem for problem in problems if not problem.endswith(PAGES["error"])] == []


def test_a_dark_page_has_light_text_in_its_pictures_too(chromium: "Browser", address: str) -> None:
    page = chromium.new_page(color_scheme="dark")
    open_page(page, f"{address}{PAGES_PREFIX}/")
    shade = "element => getComputedStyle(element).{}.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
    assert page.locator("body").evaluate(shade.format("backgroundColor")) < 150
    assert page.locator("h1").evaluate(shade.format("color")) > 600
    title = page.locator("svg text", has_text="recency score")
    assert title.evaluate(shade.format("fill")) > 600
    page.close()


def test_in_a_frame_a_segment_leads_to_a_customer_and_another_date_can_be_chosen(
    chromium: "Browser", address: str
) -> None:
    page = chromium.new_page()
    page.goto(f"{address}/frame")
    inside = page.frame_locator("iframe")
    inside.get_by_role("link", name="Champions").click()
    inside.get_by_role("link", name="days ago").click()
    inside.get_by_role("link", name="12347").click()
    inside.get_by_role("heading", name="Customer 12347").wait_for()
    inside.get_by_label("as of").select_option("2011-12-09")
    inside.get_by_role("button", name="Look up").click()
    inside.get_by_text("Snapshots up to 2011-12-09").wait_for()
    inside.get_by_role("link", name="Data quality").click()
    inside.get_by_role("heading", name="Data quality as of 2011-12-09").wait_for()
    page.close()


def test_in_a_frame_a_segment_is_downloaded(chromium: "Browser", address: str) -> None:
    page = chromium.new_page()
    page.goto(f"{address}/frame")
    inside = page.frame_locator("iframe")
    inside.get_by_role("link", name="Champions").click()
    with page.expect_download() as download:
        inside.get_by_role("link", name="Download all as CSV").click()
    assert download.value.suggested_filename == "Champions-2011-12-10.csv"
    page.close()


def test_the_keyboard_reaches_the_content_and_what_scrolls(chromium: "Browser", address: str) -> None:
    page = chromium.new_page(viewport={"width": WIDTHS["phone"], "height": 900})
    page.goto(f"{address}{PAGES_PREFIX}/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Segments as areas":
            break
    else:
        pytest.fail("the picture of the segments cannot be reached")
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_people_with_a_screen_reader_or_weak_sight_can_use_every_page(
    chromium: "Browser", address: str, theme: str
) -> None:
    """The rules of axe, contrast among them."""
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    for width in WIDTHS.values():
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=cast("None", theme))
        for name, path in PAGES.items():
            open_page(page, f"{address}{PAGES_PREFIX}/{path}")
            found = Axe().run(page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], name
        page.close()
