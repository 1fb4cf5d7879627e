"""Exports as shops really write them, through the jobs: what is published, or that it is refused.

How all of them are read is in tests/unit/commands/test_shapes.py. These need a rule of the jobs.
"""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from include.pipeline import EXIT_USER_ERROR, TASKS
from tests.jobs.conftest import RunJob
from tests.shapes import EXPECTED, SKIPPED, Figures, configured, figures, is_as_expected, landed

PUBLISHED = ["01", "07", "08", "10", "17", "20", "26", "35"]
REFUSED = ["18", "19", "27"]


def run_jobs(run: RunJob, folder: Path, shape: str) -> tuple[int, str]:
    """The exit code and the log of the last job that ran."""
    landed(shape, folder / "lake" / "landing")
    config, ended = configured(folder / "config", shape), None
    for task in TASKS:
        ended = run(task, folder / "lake", EXPECTED[shape]["as_of"], None, config)
        if ended.code:
            break
    assert ended
    return ended.code, ended.log


@pytest.mark.skipif(not EXPECTED, reason=SKIPPED)
@pytest.mark.parametrize("shape", PUBLISHED)
def test_a_shape_is_published_customer_by_customer(run: RunJob, tmp_path: Path, shape: str) -> None:
    code, log = run_jobs(run, tmp_path, shape)
    assert code == 0, log[-2000:]
    snapshot = tmp_path / "lake" / "published" / f"as_of={EXPECTED[shape]['as_of']}"
    assert is_as_expected(shape, customers(snapshot))
    stages = json.loads((snapshot / "run.json").read_text())["stages"]
    rejects = Counter(stages["ingest"]["rejects"]) + Counter(stages["clean"]["rejects"])
    del rejects["no_header"]  # of files that are no orders
    assert rejects == EXPECTED[shape]["rejects"]


@pytest.mark.skipif(not EXPECTED, reason=SKIPPED)
@pytest.mark.parametrize("shape", REFUSED)
def test_a_shape_that_would_be_wrong_is_refused(run: RunJob, tmp_path: Path, shape: str) -> None:
    code, log = run_jobs(run, tmp_path, shape)
    assert code == EXIT_USER_ERROR, log[-2000:]
    assert not (tmp_path / "lake" / "published" / "latest").exists()


def customers(snapshot: Path) -> dict[str, Figures]:
    with (snapshot / "rfm_df.csv").open(encoding="utf-8", newline="") as stream:
        return {
            row["customer_id"]: figures(
                row | {"first": row["first_purchase_date"], "last": row["last_purchase_date"]}
            )
            for row in csv.DictReader(stream)
        }
