"""Renders pages from the templates. Every value is escaped: names and texts come from data."""

from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.pages.snapshot import Snapshot
from include.pipeline import REPORT

STYLESHEET = Path(__file__).with_name("static") / "style.css"
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def snapshot_page(snapshot: Snapshot, stylesheet_url: str) -> str:
    return TEMPLATES.get_template("snapshot.html").render(
        snapshot=snapshot, stylesheet_url=stylesheet_url, report=REPORT
    )


def error_page(status: HTTPStatus, explanation: str, stylesheet_url: str) -> str:
    template = TEMPLATES.get_template("error.html")
    return template.render(status=status, explanation=explanation, stylesheet_url=stylesheet_url)
