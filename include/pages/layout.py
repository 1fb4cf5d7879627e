"""Renders pages from the templates. Every value is escaped: names and texts come from data."""

from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.pages.addresses import Addresses
from include.pages.live_charts import VEGA
from include.pipeline import REPORT
from include.published.report import change, count, share


def minute(time: str) -> str:
    """A time of a record, such as 2026-11-27T02:05:18+00:00, for people: to the minute, in UTC."""
    return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


STATIC = Path(__file__).with_name("static")
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
NUMBERS_FOR_PEOPLE = {"count": count, "share": share, "change": change, "minute": minute}
TEMPLATES.globals |= NUMBERS_FOR_PEOPLE | {"report": REPORT, "vega": VEGA}
# The pages by their paths, as the navigation has them.
SECTIONS = {
    "": "Overview",
    "movement": "Movement",
    "trends": "Trends",
    "customer": "Customer",
    "quality": "Data quality",
}


def page(template: str, addresses: Addresses, section: str | None = None, **content: object) -> str:
    """A page. Its section is marked in the navigation, and its snapshot stays chosen in the links there."""
    context = {"chosen": None, **content, "addresses": addresses, "section": section, "sections": SECTIONS}
    return TEMPLATES.get_template(f"{template}.html").render(context)


def error_page(status: HTTPStatus, explanation: str, addresses: Addresses) -> str:
    return page("error", addresses, status=status, explanation=explanation)
