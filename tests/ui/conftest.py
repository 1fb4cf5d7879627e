"""`make ui` as a newcomer starts it, and Debian's Chromium to look at it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from include.commands.postgres import free_port
from include.pipeline import DAG_ID, PROJECT
from tests.browser import browser

READY = re.compile(r"Airflow  (\S+)  user (\S+)  password (\S+)")


@dataclass
class MakeUi:
    """A running `make ui`, and what it printed."""

    process: "subprocess.Popen[bytes]"
    output: Path
    lake: Path
    home: Path
    client: httpx.Client

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def sign_in(self) -> tuple[str, str, str]:
        """The address, user and password that it has printed."""
        deadline = time.monotonic() + 300
        while not (found := READY.search(self.text)):
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.5)
        return found[1], found[2], found[3]

    def part(self, name: str) -> psutil.Process:
        """The process of one of its parts."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if f" {name}" in " ".join(process.cmdline()).replace("_", "-"):
                    return process
        raise AssertionError(f"no {name} below make ui")

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.client.request(method, f"/api/v2/{path}", json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"dags/{DAG_ID}/dagRuns?limit=100")["dag_runs"]
        return found

    def until(self, what: str, condition: Any, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.text}"
            time.sleep(1)
        return found


def start_make_ui(lake: Path, home: Path, output: Path) -> MakeUi:
    command = [
        sys.executable,
        "-m",
        "include.commands.ui",
        str(lake),
        "--home",
        str(home),
        "--port",
        str(free_port()),
    ]
    with output.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment(), stdout=stream, stderr=stream, start_new_session=True
        )
    return MakeUi(process, output, lake, home, httpx.Client(timeout=30))


def environment() -> dict[str, str]:
    """That of the Makefile."""
    names = ("AIRFLOW", "RFM_", "SPARK_", "PATH", "PYTHONPATH", "TMPDIR")
    done = subprocess.run(
        ["make", "-s", "-f", "-", "print"],
        input="include Makefile\nprint:\n\t@env -0\n",
        cwd=PROJECT,
        text=True,
        capture_output=True,
        check=True,
    )
    made = dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
    return {**os.environ, **{name: value for name, value in made.items() if name.startswith(names)}}


@pytest.fixture(scope="package")
def make_ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeUi]:
    """`make ui` on a lake of the shop, ready for sign-in."""
    folder = Path(
        f"/tmp/rfm-ui-{os.getpid()}"
    )  # Postgres runs as another user, who may not enter pytest's own
    folder.mkdir(mode=0o755)
    from tests.jobs.shop import open_shop

    open_shop(folder / "lake")
    ui = start_make_ui(folder / "lake", folder / "home", folder / "output")
    try:
        address, user, password = ui.sign_in()
        ui.client.base_url = httpx.URL(address)
        answer = ui.client.post("/auth/token", json={"username": user, "password": password})
        ui.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield ui
    finally:
        ui.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            ui.process.wait(timeout=60)
        print(ui.text)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def page(make_ui: MakeUi) -> Iterator[Any]:
    """A browser that is signed in."""
    address, user, password = make_ui.sign_in()
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(address)
        page.get_by_placeholder("Username").or_(page.locator("input[name=username]")).first.fill(user)
        page.locator("input[type=password]").fill(password)
        page.locator("button[type=submit]").click()
        page.wait_for_url(lambda url: "login" not in url)
        yield page
