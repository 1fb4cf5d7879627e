"""Debian's Chromium, for tests that look at a page as people do."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
OPTIONS = [
    *["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
    *["--disable-background-networking", "--disable-component-update"],
]


@contextmanager
def browser() -> Iterator["Browser"]:
    """A running browser; skips the test where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        started.close()


def picture(page: "Page", name: str, height: int = 900) -> None:
    """Take the picture of this name for the documentation, where RFM_PICTURES names its folder: the upper
    part of the page."""
    folder = os.environ.get("RFM_PICTURES")
    if folder and page.viewport_size:
        part = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}
        page.screenshot(path=Path(folder, f"{name}.png"), clip=part)  # type: ignore[arg-type]
