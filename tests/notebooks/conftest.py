"""A lake of the sample shop with four snapshots, and both notebooks run on it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from include.commands import sample
from include.commands.notebook import JUPYTER, NOTEBOOKS
from include.pipeline import LAKE_VARIABLE, PROJECT, TASKS
from tests.jobs.conftest import arguments, environment
from tests.notebooks.executed import Executed, execute

__all__ = ["environment"]  # the fixture

NEWEST = "2026-01-01"
EARLIER = ("2025-12-02", "2025-12-20", "2025-12-31")


@pytest.fixture(scope="session")
def lake(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, with the cleaned data of the newest snapshot, as `make run` publishes them."""
    if not JUPYTER.exists():
        pytest.skip("no Jupyter here: make .cache/notebook-venv/.ready")
    lake = tmp_path_factory.mktemp("notebooks") / "a lake"
    sample.main([str(lake / "landing" / "sample")])
    steps = [(task, arguments(lake, NEWEST, {"export_cleaned_data": True}, None)) for task in TASKS]
    for day in EARLIER:
        steps += [(task, arguments(lake, day, None, None)) for task in ("rfm", "segment", "publish")]
    done = subprocess.run(
        [sys.executable, str(PROJECT / "tests" / "jobs" / "driver.py")],
        input="".join(json.dumps({"task": task, "arguments": given}) + "\n" for task, given in steps),
        env=environment | {"PYSPARK_SUBMIT_ARGS": "--master local[2] pyspark-shell"},
        cwd=environment["RFM_WORKING_FOLDER"],
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["code"] for answer in answers] == [0] * len(steps), answers[-1]["log"][-3000:]
    return lake


@pytest.fixture(scope="session")
def walkthrough(
    lake: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Executed:
    folder = tmp_path_factory.mktemp("walkthrough")
    return execute(NOTEBOOKS / "customer_segment.ipynb", folder, environment | {LAKE_VARIABLE: str(lake)})


@pytest.fixture(scope="session")
def analysis(lake: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Executed:
    folder = tmp_path_factory.mktemp("analysis")
    return execute(NOTEBOOKS / "analysis_notebook.ipynb", folder, environment | {LAKE_VARIABLE: str(lake)})
