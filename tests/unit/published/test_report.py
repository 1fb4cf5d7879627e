"""report.html: what it says, and that nothing in it comes from outside or runs."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from include.lake.record import InputFile
from include.pipeline import REPORT
from include.published.report import Made, write_report
from include.settings import RunConfig
from tests.unit.published.small import AS_OF, HOSTILE, stages, write_snapshot
from tests.unit.published.small_lake import COUNTS, ingested


@pytest.fixture
def made(config: RunConfig) -> Made:
    ingest = stages()["ingest"].model_copy(
        update={"files_not_counted": {f"{HOSTILE}.pdf": "is no table"}, "files_gone": {"gone.csv": 1234}}
    )
    return Made(
        AS_OF, config, stages() | {"ingest": ingest}, [f"no sales on {HOSTILE}"], files_read_in_two_ways()
    )


def files_read_in_two_ways() -> dict[str, InputFile]:
    ways = {
        "1.csv": "UTF-8, a point (line 2)",
        "2.csv": "UTF-8, a point (line 9)",
        f"{HOSTILE}.csv": "UTF-16",
        "old.csv": None,
    }
    return {
        name: InputFile(**ingested().model_copy(update={"read_as": how}).model_dump(), clean=COUNTS)
        for name, how in ways.items()
    }


@pytest.fixture
def page(tmp_path: Path, config: RunConfig, made: Made) -> str:
    folder = write_snapshot(tmp_path / "snapshot", config)
    write_report(folder, made)
    return (folder / REPORT).read_text(encoding="utf-8")


class Text(HTMLParser):
    """The text of a page, and the names of its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts, self.elements = list[str](), set[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.add(tag)

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def __str__(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.parts))


def test_it_has_the_numbers_of_the_snapshot(page: str) -> None:
    text = str(Text(page))
    for words in [
        "Customer segments as of 2011-12-10",
        "customers 5",
        "spent 1,117",
        "orders 16",
        "lines kept of 10 landed 8",
        "Champions 2 +1 40.0% 1,100",
        "missing customer 1 10.0%",
        "since 2011-11-10",
        "recency days is cut at 1, 1, 41, 41",
    ]:
        assert words in text


def test_what_each_segment_means_is_there(page: str, config: RunConfig) -> None:
    text = str(Text(page))
    for segment in config.segment_map.segments:
        assert segment.description in text


def test_nothing_runs_and_nothing_is_loaded(page: str) -> None:
    assert Text(page).elements.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert not re.search(r"(?:href|src)\s*=|url\(|@import", page)
    assert "default-src 'none'" in page


def test_text_from_data_stays_text(page: str) -> None:
    assert f"no sales on {HOSTILE}" in str(Text(page))
    assert "<script" not in page


def test_it_says_how_files_were_read_and_which_do_not_count(page: str) -> None:
    """Each file has six lines."""
    text = str(Text(page))
    for words in [
        "2 files, such as 1.csv, 12 lines: UTF-8, a point",
        f"{HOSTILE}.csv, 6 lines: UTF-16",
        "old.csv, 6 lines",
        f"Not counted: {HOSTILE}.pdf is no table",
        "Gone since the run before: gone.csv, with 1,234 lines that counted",
    ]:
        assert words in text


def test_it_is_small(page: str) -> None:
    assert len(page.encode()) < 500_000


def test_it_says_what_run_it_is_of(tmp_path: Path, config: RunConfig, made: Made) -> None:
    folder = write_snapshot(tmp_path / "variant", config)
    settings = config.settings.model_copy(update={"lookback_days": 90, "cancellations": "drop"})
    overrides = {"lookback_days": 90, "cancellations": "drop"}
    variant = config.model_copy(update={"settings": settings, "overrides": overrides})
    write_report(folder, replace(made, config=variant, warnings=[]))
    text = str(Text((folder / REPORT).read_text(encoding="utf-8")))
    assert "Variant: cancellations=drop,lookback_days=90." in text
    assert "in the 90 days before it" in text
    assert "minus what was cancelled" not in text
    assert "Warning" not in text
