"""A lake with published snapshots, and browsers with and without permission to read the DAG."""

import atexit
import csv
import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient

from include.lake.paths import Lake
from include.lake.record import RECORD, InputFile, PublishedConfig, RunRecord
from include.lake.state import StageRecord, state_text
from include.pipeline import LAKE_VARIABLE, PAGES_PREFIX, PROJECT, TASKS
from include.settings import RunConfig
from tests.browser import browser
from tests.unit.published.small import write_snapshot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

# Airflow reads its settings when it is imported, so before any fixture. Where the tests of another folder
# have imported it, it has a home of its own already.
if "airflow" not in sys.modules:
    HOME = Path(tempfile.mkdtemp(prefix="rfm-airflow-"))
    atexit.register(shutil.rmtree, HOME, ignore_errors=True)
    os.environ |= {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    }

AS_OF = date(2011, 12, 10)
# As Airflow shows a view of a plugin.
FRAME = f"""<!doctype html><title>Airflow</title><iframe src="{PAGES_PREFIX}/" width="900" height="700"
sandbox="allow-scripts allow-same-origin allow-forms allow-downloads"></iframe>"""
VARIANT = "lookback_days=90,segment_map=rf10"
SUMMARY = [["segment", "customers", "customer_share"], ["Champions", "3", "0.7500"], ["Lost", "1", "0.2500"]]
Publish = Callable[..., Path]
Shop = Callable[..., Path]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """An empty lake, which the pages read."""
    monkeypatch.setenv(LAKE_VARIABLE, str(tmp_path / "lake"))
    return Lake(tmp_path / "lake")


@pytest.fixture
def publish(lake: Lake, config: RunConfig) -> Publish:
    """Publishes a snapshot as `publish` does it: a version, and a link to it."""

    def published(
        variant: str | None = None, dag_run: str = "manual__1", summary: list[list[str]] = SUMMARY
    ) -> Path:
        link = lake.published(AS_OF, variant)
        version = linked_version(link)
        with (version / "segment_summary.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(summary)
        (version / "rfm_df.csv").write_bytes(b"as_of,customer_id\r\n2011-12-10,17850\r\n")
        (version / RECORD).write_text(state_text(run_record(config, variant, dag_run)))
        return version

    return published


@pytest.fixture
def shop(lake: Lake, config: RunConfig) -> Shop:
    """Publishes the customers of tests/unit/published/small.py, as of any date."""

    def published(as_of: date = AS_OF, variant: str | None = None) -> Path:
        version = linked_version(lake.published(as_of, variant))
        record = run_record(config, variant, "manual__1").model_copy(update={"as_of": as_of})
        (version / RECORD).write_text(state_text(record))
        return write_snapshot(version, config)

    return published


def linked_version(link: Path) -> Path:
    """The folder of a new version, with the link of its date to it."""
    version = link.parent / ".versions" / f"{link.name}.0123456789ab"
    version.mkdir(parents=True)
    link.symlink_to(version.relative_to(link.parent))
    return version


def run_record(config: RunConfig, variant: str | None, dag_run: str) -> RunRecord:
    stage = StageRecord(
        rows_in=4,
        rows_out=4,
        rejects={},
        seconds=1.0,
        started="2011-12-10T02:00:00+00:00",
        dag_run=dag_run,
        application_id=None,
    )
    return RunRecord(
        landing_version=1,
        attempt=1,
        stages=dict.fromkeys(TASKS, stage),
        as_of=AS_OF,
        variant=variant,
        dag_run=dag_run,
        published_at="2011-12-10T02:05:00+00:00",
        config_hash=config.hash,
        config=PublishedConfig.model_validate(config.model_dump(mode="json")),
        input_files=dict[str, InputFile](),
    )


@pytest.fixture
def stranger() -> TestClient:
    """The browser of somebody who is not logged in."""
    from include.pages.app import app

    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def reader() -> Iterator[TestClient]:
    """The browser of somebody who may read the DAG."""
    from include.pages.app import app, may_read_dag

    app.dependency_overrides[may_read_dag] = lambda: None
    yield TestClient(app, raise_server_exceptions=False)
    app.dependency_overrides.clear()


# -- in a browser -------------------------------------------------------------------------------


@pytest.fixture
def served(lake: Lake) -> Iterator[str]:
    """The address at which the pages are served to everybody."""
    with serving() as address:
        yield address


@contextmanager
def serving() -> Iterator[str]:
    from include.pages.app import app, may_read_dag

    app.dependency_overrides[may_read_dag] = lambda: None
    airflow = FastAPI()
    airflow.mount(PAGES_PREFIX, app)
    airflow.get("/frame")(lambda: HTMLResponse(FRAME))
    server = uvicorn.Server(uvicorn.Config(airflow, log_level="warning"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        app.dependency_overrides.clear()


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    with browser() as started:
        yield started


def problems_of(page: "Page") -> list[str]:
    """What the browser complains about from now on, but for the icon that a site may have."""
    found = list[str]()

    def note(message: "ConsoleMessage") -> None:
        if not message.location["url"].endswith("/favicon.ico"):
            found.append(f"{page.url}: {message.text} {message.location['url']}")

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(f"{page.url}: {error}"))
    return found


def open_page(page: "Page", address: str) -> None:
    """Open a page, and wait until all its charts are live."""
    from playwright.sync_api import expect

    page.goto(address)
    expect(page.locator(".chart:not(.live)")).to_have_count(0, timeout=30_000)
