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


def picture(page: "Page", name: str) -> None:
    """Take the picture of this name for the documentation, where RFM_PICTURES names its folder."""
    folder = os.environ.get("RFM_PICTURES")
    if folder:
        page.screenshot(path=Path(folder, f"{name}.png"))
