"""What the runbook says of backfills and of clearing, done on `make ui`."""

from pathlib import Path
from typing import Any

import pytest

from include.pipeline import DAG_ID, TASKS
from tests.browser import picture
from tests.ui.conftest import MakeUi

FIRST, SECOND = "2011-01-27", "2011-01-28"  # days that the shop's backfills cover; no file landed on them
AS_OF_SECOND = "2011-01-29"


def start_backfill(ui: MakeUi, days: tuple[str, str], reprocess: str = "none", **more: Any) -> int:
    """Start a backfill of the runs that cover these days. Its number."""
    body = {
        "dag_id": DAG_ID,
        "from_date": f"{days[0]}T00:00:00Z",
        "to_date": f"{days[1]}T23:00:00Z",
        "reprocess_behavior": reprocess,
        "max_active_runs": 2,
        **more,
    }
    number: int = ui.ask("POST", "backfills", body)["id"]
    return number


def cancel(ui: MakeUi, backfill: int) -> None:
    """Cancel a backfill, unless Airflow has marked it as complete before."""
    answer = ui.client.put(f"/api/v2/backfills/{backfill}/cancel")
    assert answer.is_success or "already completed" in answer.text, answer.text


def pause(ui: MakeUi, *, paused: bool) -> None:
    ui.ask("PATCH", f"dags/{DAG_ID}", {"is_paused": paused})


def run_of(ui: MakeUi, day: str) -> dict[str, Any]:
    return next(run for run in ui.runs() if (run["logical_date"] or "").startswith(day))


def is_in(ui: MakeUi, day: str, state: str) -> Any:
    return lambda: run_of(ui, day)["state"] == state


def mark_failed(ui: MakeUi, day: str) -> None:
    ui.ask("PATCH", f"dags/{DAG_ID}/dagRuns/{run_of(ui, day)['dag_run_id']}", {"state": "failed"})


def tries(ui: MakeUi, day: str) -> dict[str, int]:
    run = run_of(ui, day)["dag_run_id"]
    tasks = ui.get(f"dags/{DAG_ID}/dagRuns/{run}/taskInstances")["task_instances"]
    return {task["task_id"]: task["try_number"] for task in tasks}


@pytest.fixture(scope="module")
def unpaused(make_ui: MakeUi) -> MakeUi:
    """With the daily run of today behind it, which the scheduler starts as soon as the DAG is not paused."""
    pause(make_ui, paused=False)
    make_ui.until("the daily run ends", lambda: "success" in daily_states(make_ui), 600)
    return make_ui


def daily_states(ui: MakeUi) -> list[str]:
    return [run["state"] for run in ui.runs() if run["run_type"] == "scheduled"]


# -- many backfills -----------------------------------------------------------------------------


def test_ten_backfills_in_a_row_leave_the_scheduler_alive(unpaused: MakeUi) -> None:
    """Each with an as-of date in its conf, which `ingest` refuses at once: so no job runs. Airflow marks a
    backfill as complete every half minute only, and takes no second one before that: hence the cancel."""
    before, restarts = unpaused.part("scheduler").pid, unpaused.text.count("is started again")
    for number in range(1, 11):
        day = f"2011-01-{number:02}"
        backfill = start_backfill(unpaused, (day, day), dag_run_conf={"as_of": "2011-02-01"})
        unpaused.until(f"the run of {day} is refused", is_in(unpaused, day, "failed"), 120)
        cancel(unpaused, backfill)
    assert unpaused.part("scheduler").pid == before
    assert unpaused.text.count("is started again") == restarts
    assert unpaused.get("monitor/health")["scheduler"]["status"] == "healthy"


def test_a_refused_backfill_is_mended_by_one_that_overrides_its_parameters(unpaused: MakeUi) -> None:
    """As the refusal says. Without other parameters the runs would keep those that were refused."""
    backfill = start_backfill(unpaused, ("2011-01-10", "2011-01-10"), reprocess="failed", dag_run_conf={})
    unpaused.until("the refused run succeeds", is_in(unpaused, "2011-01-10", "success"), 300)
    cancel(unpaused, backfill)


# -- a cancelled backfill -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def cancelled(unpaused: MakeUi) -> MakeUi:
    """A backfill of two days that is cancelled before a run has begun. Then both runs are cleared."""
    pause(unpaused, paused=True)
    cancel(unpaused, start_backfill(unpaused, (FIRST, SECOND)))
    for day in (FIRST, SECOND):
        assert run_of(unpaused, day)["state"] == "failed"
        run = run_of(unpaused, day)["dag_run_id"]
        unpaused.ask("POST", f"dags/{DAG_ID}/dagRuns/{run}/clear", {"dry_run": False})
    pause(unpaused, paused=False)
    return unpaused


def test_the_cure_of_a_cancelled_backfill_s_runs_works(cancelled: MakeUi) -> None:
    """Mark failed, then a backfill of missing and errored runs. The run that is only cleared stays queued
    (apache/airflow 72337), though the other one passes it from start to end."""
    mark_failed(cancelled, SECOND)
    start_backfill(cancelled, (FIRST, SECOND), "failed")
    cancelled.until("the run that was marked failed ends", is_in(cancelled, SECOND, "success"), 600)
    assert run_of(cancelled, FIRST)["state"] == "queued"
    assert (cancelled.lake / "published" / f"as_of={AS_OF_SECOND}" / "run.json").exists()
    mark_failed(cancelled, FIRST)


# -- clearing one task --------------------------------------------------------------------------


def versions(published: Path) -> tuple[Path, Path]:
    """Where the links of an old date and of the newest one point to."""
    return (published / f"as_of={AS_OF_SECOND}").resolve(), (published / "latest").resolve()


def test_clearing_segment_of_an_old_run_publishes_that_date_again_and_nothing_else(
    page: Any, cancelled: MakeUi
) -> None:
    published = cancelled.lake / "published"
    old, latest = versions(published)
    before = tries(cancelled, SECOND)
    run = run_of(cancelled, SECOND)["dag_run_id"]
    page.goto(f"{cancelled.client.base_url}/dags/{DAG_ID}/runs/{run}/tasks/segment")
    button = page.get_by_role("button", name="Press shift+c to clear")
    button.hover()
    picture(page, "clear-task", height=250)  # without the log, which has paths of this machine
    button.click()
    form = page.get_by_role("dialog").first
    form.get_by_text("Affected Tasks: 2").wait_for()
    form.get_by_role("button", name="Confirm").click()
    cancelled.until("the task is cleared", lambda: tries(cancelled, SECOND) != before, 120)
    cancelled.until("the run ends again", is_in(cancelled, SECOND, "success"), 600)
    after = tries(cancelled, SECOND)
    assert [task for task in TASKS if after[task] != before[task]] == ["segment", "publish"]
    assert versions(published)[0] != old
    assert versions(published)[1] == latest
