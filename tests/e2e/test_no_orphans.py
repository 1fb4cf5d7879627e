"""However a task ends, none of its processes is left; what can heal is tried again, and only that.

A job that is to be caught waits for a lock of the lake that the test holds: so its driver is alive,
and at a known place, for as long as the test wants.
"""

import json
import signal
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Airflow, Caught
from tests.jobs.test_jobs import CUT_POINTS, FILES, TEXTS, land, open_shop

AS_OF = "2011-02-10"
DISTURBED = "manual__disturbed"


@pytest.fixture(scope="module", autouse=True)
def shop(airflow: Airflow) -> None:
    open_shop(airflow.lake.root)


def execution_timeout(airflow: Airflow, caught: Caught) -> None:
    caught.task.send_signal(signal.SIGALRM)  # what its timer sends after two hours
    caught.all_end()
    assert "Process timed out" in airflow.log(DISTURBED, "ingest", caught.attempt)


def task_cleared(airflow: Airflow, caught: Caught) -> None:
    airflow.clear_task(DISTURBED, "ingest")


def scheduler_and_workers_stopped(airflow: Airflow, caught: Caught) -> None:
    airflow.stop_scheduler()
    caught.all_end()
    airflow.processes["scheduler"].wait(timeout=60)
    airflow.start_scheduler()


def driver_killed(airflow: Airflow, caught: Caught) -> None:
    caught.driver.kill()


def task_process_killed(airflow: Airflow, caught: Caught) -> None:
    caught.task.kill()


WAYS: list[Callable[[Airflow, Caught], None]] = [
    execution_timeout,
    task_cleared,
    scheduler_and_workers_stopped,
    driver_killed,
    task_process_killed,
]


def test_a_run_disturbed_in_every_way_leaves_no_process_and_publishes_the_right_snapshot(
    airflow: Airflow,
) -> None:
    with airflow.lake.locked("listing"):
        # While the DAG is paused: on SQLite a trigger and a task that starts can wait for each other.
        airflow.trigger(DISTURBED, as_of=AS_OF, export_cleaned_data=True)
        airflow.unpause()
        scheduled = airflow.scheduled_run()  # that of the day before

        # In a run beside, because Airflow waits a while before it takes a worker for lost.
        caught = airflow.caught(scheduled)
        caught.worker.kill()
        caught.all_end()

        for attempt, disturb in enumerate(WAYS, start=1):
            caught = airflow.caught(DISTURBED)
            assert caught.attempt == attempt
            disturb(airflow, caught)
            caught.all_end()
        assert airflow.caught(DISTURBED).attempt == len(WAYS) + 1

        caught = airflow.caught(scheduled)
        assert caught.attempt > 1
        airflow.fail_task(scheduled, "ingest")
        caught.all_end()
        airflow.until("the failed run ends", lambda: airflow.run_state(scheduled) == "failed", 30)

    airflow.until("the run ends", lambda: airflow.run_state(DISTURBED) in ("success", "failed"), 300)
    assert airflow.run_state(DISTURBED) == "success"
    snapshot = airflow.lake.root / f"published/as_of={AS_OF}"
    assert {file.name for file in snapshot.iterdir()} == FILES
    for name, text in TEXTS.items():
        assert (snapshot / name).read_text().replace("\r\n", "\n") == text, name
    assert json.loads((snapshot / "cut_points.json").read_text()) == CUT_POINTS
    airflow.until("no process is left", lambda: not airflow.drivers(), 20)


def test_bad_data_and_bad_configuration_fail_at_once_and_say_so_last(airflow: Airflow) -> None:
    bad = land(airflow.lake.root, "bad.csv", ["1,A"], header="InvoiceNo,StockCode")
    airflow.unpause()
    try:
        airflow.trigger("manual__bad_data", as_of=AS_OF)
        airflow.trigger("manual__bad_data_beside_it", as_of=AS_OF)
        airflow.trigger("manual__bad_configuration", as_of=AS_OF, segment_map="rf12")
        for run, told in [
            ("manual__bad_configuration", "ingest: segment_map: unknown map 'rf12'"),
            ("manual__bad_data", "ingest: bad.csv"),
            ("manual__bad_data_beside_it", "ingest: bad.csv"),
        ]:
            airflow.until(f"{run} fails", lambda run=run: airflow.run_state(run) == "failed", 180)
            assert airflow.attempt(run, "ingest") == 1
            words = [line for line in airflow.log(run, "ingest", 1) if not line.startswith("::")]
            assert words[-1].startswith(told)
    finally:
        bad.unlink()
