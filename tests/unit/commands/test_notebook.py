"""`make notebook`: what it opens, and what it refuses."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import httpx
import pytest

from include.commands import notebook
from include.lake.paths import Lake
from include.pipeline import PROJECT
from tests.unit.lake.results import publish_text


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with one snapshot."""
    lake = Lake(tmp_path / "a lake")
    lake.landing.mkdir(parents=True)
    publish_text(lake, "text", landing_version=1, as_of=date(2011, 12, 10))
    return lake


@pytest.mark.parametrize("exists", [True, False])
def test_a_lake_without_snapshots_is_refused_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], exists: bool
) -> None:
    folder = tmp_path / "empty"
    if exists:
        folder.mkdir()
    assert notebook.main([str(folder)]) == 2
    error = capsys.readouterr().err
    assert f"{folder} has no published snapshot" in error and "make run" in error


def test_a_copy_that_somebody_has_worked_on_is_kept(tmp_path: Path) -> None:
    notebook.copy_notebooks(tmp_path)
    (tmp_path / "customer_segment.ipynb").write_text("mine")
    (tmp_path / "analysis_notebook.ipynb").unlink()
    notebook.copy_notebooks(tmp_path)
    assert (tmp_path / "customer_segment.ipynb").read_text() == "mine"
    assert json.loads((tmp_path / "analysis_notebook.ipynb").read_text())["cells"]


def test_it_answers_on_loopback_to_who_has_the_token(lake: Lake, tmp_path: Path) -> None:
    """The real JupyterLab, in a folder of the test's own."""
    if not notebook.JUPYTER.exists():
        pytest.skip("no JupyterLab here: make .cache/notebook-venv/.ready")
    program = f"""
from pathlib import Path
from include.commands import notebook
from include.lake.paths import Lake
environment = notebook.environment_of(Lake(Path({str(lake.root)!r})), Path({str(tmp_path / "jupyter")!r}))
notebook.open_notebooks(Path({str(tmp_path)!r}), environment)
"""
    log = tmp_path / "log"
    with log.open("w") as output:
        jupyter = subprocess.Popen(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONPATH": str(PROJECT)},
            stdout=output,
            stderr=output,
        )
    try:
        address, token = printed_address(log, jupyter)
        assert address.startswith("http://127.0.0.1:")
        assert httpx.get(f"{address}/api/contents").status_code == 403
        listed = httpx.get(f"{address}/api/contents", headers={"Authorization": f"token {token}"})
        assert "log" in [entry["name"] for entry in listed.json()["content"]]
    finally:
        jupyter.send_signal(signal.SIGTERM)
        jupyter.wait(timeout=30)
    assert (tmp_path / "jupyter").is_dir(), "Jupyter's own files are not in the user's home"


def printed_address(log: Path, jupyter: "subprocess.Popen[bytes]") -> tuple[str, str]:
    """The address and the token that Jupyter prints once it answers."""
    deadline = time.monotonic() + 60
    while not (found := re.search(r"(http://[\d.:]+)/lab\?token=(\w+)", log.read_text())):
        assert jupyter.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    return found[1], found[2]
