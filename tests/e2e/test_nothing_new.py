"""A backfill over a lake with history, through a real Airflow: `ingest` and `clean` have nothing to do, and
end without Spark; the snapshots are those of runs that submitted all five jobs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from include.pipeline import TASKS
from tests.e2e.conftest import Airflow
from tests.jobs.shop import CUT_POINTS, TEXTS, open_shop

DAYS = [f"2011-02-{day:02}" for day in range(1, 11)]  # as-of dates; each run covers the day before
SUBMITTED = "manual__submitted"


@pytest.fixture(scope="module")
def history(airflow: Airflow) -> Path:
    """The lake after a run for the last date, in which all five jobs were submitted."""
    open_shop(airflow.lake.root)
    for stage in ("ingested", "cleaned", "orders"):  # other tests may have filled them
        shutil.rmtree(airflow.lake.root / stage, ignore_errors=True)
    airflow.trigger(SUBMITTED, as_of=DAYS[-1], export_cleaned_data=True)
    airflow.unpause()
    assert airflow.wait_for_run(SUBMITTED, 300) == "success"
    return airflow.lake.root


@pytest.fixture(scope="module")
def backfill(airflow: Airflow, history: Path) -> list[dict[str, Any]]:
    """The runs of a backfill over ten days, all of them ended."""
    with airflow.only_the_api():
        airflow.backfill("2011-01-31", "2011-02-09")

    def ended() -> list[dict[str, Any]]:
        runs = [run for run in airflow.runs() if run["run_type"] == "backfill"]
        done = [run for run in runs if run["state"] in ("success", "failed")]
        return done if len(done) == len(DAYS) else []

    runs: list[dict[str, Any]] = airflow.until("the backfill ends", ended, 900)
    assert {run["state"] for run in runs} == {"success"}
    return runs


def test_every_day_is_published(history: Path, backfill: list[dict[str, Any]]) -> None:
    published = {link.name.removeprefix("as_of=") for link in (history / "published").glob("as_of=*")}
    assert set(DAYS) <= published


@pytest.mark.parametrize("task", TASKS[:2])
def test_the_log_of_a_task_without_work_says_so(
    airflow: Airflow, backfill: list[dict[str, Any]], task: str
) -> None:
    for run in backfill:
        log = airflow.log(run["dag_run_id"], task, 1)
        assert any("Spark is not started" in line for line in log), log
        assert not any("spark-submit" in line for line in log), log
        assert any(line.startswith("rows out") for line in log), log


def test_the_last_day_is_the_snapshot_of_a_run_that_submitted(
    history: Path, backfill: list[dict[str, Any]]
) -> None:
    folder = history / "published" / f"as_of={DAYS[-1]}"
    for name in set(TEXTS) - {"cleaned_data.csv"}:
        assert (folder / name).read_bytes().decode().replace("\r\n", "\n") == TEXTS[name], name
    assert json.loads((folder / "cut_points.json").read_text()) == CUT_POINTS


def test_its_record_is_that_of_a_run_that_submitted_but_for_the_application(
    history: Path, backfill: list[dict[str, Any]]
) -> None:
    versions = (history / "published" / ".versions").glob(f"as_of={DAYS[-1]}.*/run.json")
    records = {record["dag_run"]: record for file in versions for record in [json.loads(file.read_text())]}
    submitted = records[SUBMITTED]
    (skipped,) = [records[run["dag_run_id"]] for run in backfill if run["dag_run_id"] in records]
    assert skipped["input_files"] == submitted["input_files"]
    for task in TASKS[:2]:
        stages = submitted["stages"][task], skipped["stages"][task]
        changed = {key for key in stages[0] if stages[0][key] != stages[1][key]}
        assert changed <= {
            "seconds",
            "started",
            "dag_run",
            "application_id",
            "files_converted",
            "files_cleaned",
        }
        assert stages[0]["application_id"]
        assert stages[1]["application_id"] is None
        # Runs go in parallel: the newest manifest may be of another run of the backfill.
        assert stages[1]["dag_run"] in {run["dag_run_id"] for run in backfill}
