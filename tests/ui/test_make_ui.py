"""`make ui` as a newcomer meets it: sign in, fill in the backfill form, and lose a part of it."""

import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from include.pipeline import DAG_ID, TASKS
from tests.browser import picture
from tests.jobs.shop import CUT_POINTS, TEXTS
from tests.ui.conftest import MakeUi

LAST_DAY = "2011-02-10"  # the as-of date of the shop's figures; the run for it covers the day before


def open_backfill_form(page: Any, make_ui: MakeUi) -> Any:
    """Trigger, Backfill: the form, as a user opens it."""
    page.goto(f"{make_ui.client.base_url}/dags/{DAG_ID}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog").first
    form.locator("label", has=page.locator("input[value=backfill]")).click()
    form.get_by_text("Date Range").wait_for()
    return form


def pick_date(page: Any, form: Any, place: int, day: str) -> None:
    form.get_by_test_id("datetime-input").nth(place).click()
    date = page.get_by_placeholder("YYYY/MM/DD").last
    date.fill(day.replace("-", "/"))
    date.press("Enter")
    page.keyboard.press("Escape")


def run_backfill(
    page: Any, make_ui: MakeUi, days: tuple[str, str], reprocess: str, *, backwards: bool
) -> None:
    """Fill in the form for a range of covered days, and wait until its runs have ended."""
    before = {backfill["id"] for backfill in backfills(make_ui)}
    form = open_backfill_form(page, make_ui)
    for place, day in enumerate(days):
        pick_date(page, form, place, day)
    form.locator("label", has=page.locator(f"input[value={reprocess}]")).click()
    form.locator("input[name=max_active_runs]").fill("2")
    if backwards:
        form.get_by_text("Run Backwards").click()
    picture(page, "backfill")
    form.get_by_role("button", name="Run Backfill").click()
    make_ui.until("the backfill is there", lambda: {b["id"] for b in backfills(make_ui)} - before, 60)
    make_ui.until("it ends", lambda: all(b["completed_at"] for b in backfills(make_ui)), 600)


def backfills(make_ui: MakeUi) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = make_ui.get(f"backfills?dag_id={DAG_ID}&limit=100")["backfills"]
    return found


def states(make_ui: MakeUi) -> dict[str, str]:
    """The state of each backfilled run, by the day that it covers."""
    runs = [run for run in make_ui.runs() if run["run_type"] == "backfill"]
    return {run["logical_date"][:10]: run["state"] for run in runs}


def snapshot_texts(folder: Path) -> dict[str, str]:
    names = set(TEXTS) - {"cleaned_data.csv"}
    return {name: (folder / name).read_bytes().decode().replace("\r\n", "\n") for name in names}


def test_what_it_prints_is_enough_to_sign_in(page: Any) -> None:
    page.get_by_text("Health").first.wait_for()


def test_the_trigger_form_names_each_choice(page: Any, make_ui: MakeUi) -> None:
    form = open_backfill_form(page, make_ui)
    text = form.inner_text()
    for choice in ("as configured (net)", "as configured (keep)", "as configured (rfm11)"):
        assert choice in text
    assert "null" not in text


@pytest.fixture(scope="module")
def backfilled(page: Any, make_ui: MakeUi) -> MakeUi:
    """Two days at a time, the newest first. No file was landed on the first of them."""
    run_backfill(page, make_ui, ("2011-02-08", "2011-02-09"), "none", backwards=True)
    return make_ui


def test_a_backfill_from_the_form_publishes_every_day(backfilled: MakeUi) -> None:
    assert states(backfilled) == dict.fromkeys(("2011-02-08", "2011-02-09"), "success")
    folder = backfilled.lake / "published" / f"as_of={LAST_DAY}"
    wanted = {name: text for name, text in TEXTS.items() if name != "cleaned_data.csv"}
    assert snapshot_texts(folder) == wanted
    assert json.loads((folder / "cut_points.json").read_text()) == CUT_POINTS


@pytest.mark.parametrize(("reprocess", "runs_again"), [("failed", 1), ("completed", 2)])
def test_reprocessing_runs_the_chosen_runs_again(
    page: Any, backfilled: MakeUi, reprocess: str, runs_again: int
) -> None:
    """One of the two runs has failed by then."""
    (run,) = [
        r["dag_run_id"] for r in backfilled.runs() if (r["logical_date"] or "").startswith("2011-02-08")
    ]
    backfilled.ask("PATCH", f"dags/{DAG_ID}/dagRuns/{run}", {"state": "failed"})
    before = {run["dag_run_id"]: run["start_date"] for run in backfilled.runs()}
    run_backfill(page, backfilled, ("2011-02-08", "2011-02-09"), reprocess, backwards=False)
    changed = [run for run in backfilled.runs() if before.get(run["dag_run_id"]) != run["start_date"]]
    assert len([run for run in changed if run["run_type"] == "backfill"]) == runs_again
    assert set(states(backfilled).values()) == {"success"}


def test_each_task_pushes_its_numbers(backfilled: MakeUi) -> None:
    run = next(
        run for run in backfilled.runs() if run["logical_date"] and run["logical_date"][:10] == "2011-02-09"
    )
    numbers = {
        task: backfilled.get(
            f"dags/{DAG_ID}/dagRuns/{run['dag_run_id']}/taskInstances/{task}/xcomEntries/numbers"
        )
        for task in TASKS
    }
    rows = {task: (entry["value"]["rows_in"], entry["value"]["rows_out"]) for task, entry in numbers.items()}
    assert rows == {
        "ingest": (16, 15),
        "clean": (15, 12),
        "rfm": (12, 10),
        "segment": (5, 5),
        "publish": (5, 5),
    }
    assert {entry["value"]["as_of"] for entry in numbers.values()} == {LAST_DAY}


def test_a_run_says_its_outcome_in_its_note(backfilled: MakeUi) -> None:
    notes = {
        run["logical_date"][:10]: run["note"] for run in backfilled.runs() if run["run_type"] == "backfill"
    }
    assert notes["2011-02-09"].startswith("as of 2011-02-10: 5 customers, 12 of 16 lines kept, ")


def test_the_published_asset_has_an_event_for_each_date(backfilled: MakeUi) -> None:
    events = backfilled.get("assets/events?limit=100")["asset_events"]
    published = [event for event in events if event["name"] == "rfm://published"]
    assert {event["extra"]["as_of"] for event in published} >= {"2011-02-09", LAST_DAY}
    assert {event["partition_key"] for event in published} >= {"2011-02-09", LAST_DAY}
    assert {event["extra"]["rows_out"] for event in published if event["extra"]["as_of"] == LAST_DAY} == {5}


def test_it_listens_on_loopback_only(backfilled: MakeUi) -> None:
    processes = [psutil.Process(backfilled.process.pid).children(recursive=True)]
    listening = {
        connection.laddr.ip
        for process in processes[0]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_part_that_is_killed_is_started_again(backfilled: MakeUi) -> None:
    backfilled.part("scheduler").send_signal(signal.SIGKILL)
    backfilled.until("it says so", lambda: "the scheduler has ended" in backfilled.text, 30)
    assert "is started again" in backfilled.text

    def is_back() -> bool:
        with suppress(AssertionError):
            return backfilled.part("scheduler").is_running()
        return False

    backfilled.until("its successor is at work", is_back, 60)
