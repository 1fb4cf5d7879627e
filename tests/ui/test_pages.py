"""The pages as Airflow shows them: in its navigation, and beside the DAG."""

from typing import Any

import httpx
import pytest

from include.pages.live_charts import VEGA
from include.pipeline import DAG_ID
from tests.ui.conftest import MakeUi


def address_of(make_ui: MakeUi) -> str:
    return f"{str(make_ui.client.base_url).rstrip('/')}/"


@pytest.mark.parametrize("path", ["plugin/customer-segments", f"dags/{DAG_ID}/plugin/customer-segments-tab"])
def test_airflow_shows_the_pages_in_a_frame(page: Any, make_ui: MakeUi, path: str) -> None:
    page.goto(f"{address_of(make_ui)}{path}")
    frame = page.frame_locator("iframe[title='Customer segments']")
    navigation = frame.get_by_role("navigation", name="Customer segments")
    navigation.get_by_role("link", name="Data quality").click()
    navigation.locator("[aria-current=page]", has_text="Data quality").or_(
        frame.get_by_text("No snapshot is published yet")
    ).wait_for()


def test_the_navigation_leads_to_the_pages(page: Any, make_ui: MakeUi) -> None:
    page.goto(address_of(make_ui))
    page.get_by_role("link", name="Customer segments").first.click()
    page.frame_locator("iframe[title='Customer segments']").get_by_role("link", name="Overview").wait_for()


def test_who_is_not_signed_in_gets_no_page(make_ui: MakeUi) -> None:
    address = f"{address_of(make_ui)}rfm/"
    assert httpx.get(address).status_code == 401
    for name in ("style.css", "charts.js", VEGA):
        assert httpx.get(f"{address}static/{name}").status_code == 401
