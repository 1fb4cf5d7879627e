"""However a task ends, it leaves no process; a failure that may heal is tried again, and no other one. People
are told of it.

A job that a test wants to catch waits for a lock of the lake that the test holds. So its driver is alive,
and at a known place, for as long as the test needs.
"""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from include.lake.commit import NUMBER_LOCK, locked
from tests.e2e.conftest import Airflow, Caught
from tests.jobs.shop import AS_OF, CUT_POINTS, EXPORT, FILES, TEXTS, land, open_shop
from tests.receivers import PASSWORD, TOKEN, Chat, Mail, Received

DISTURBED = "manual__disturbed"


@pytest.fixture(scope="module")
def held(airflow: Airflow) -> Iterator[ExitStack]:
    """Two runs, DISTURBED and the scheduled one, whose `ingest` waits for the lock until this is closed."""
    open_shop(airflow.lake.root)
    with ExitStack() as lock:
        lock.enter_context(locked(airflow.lake, NUMBER_LOCK))
        # While the DAG is paused: on SQLite a trigger and a task that starts can wait for each other.
        airflow.trigger(DISTURBED, as_of=AS_OF, **EXPORT)
        airflow.unpause()
        yield lock


@pytest.fixture(scope="module")
def scheduled(airflow: Airflow, held: ExitStack) -> str:
    """The run of the day before, by the schedule."""
    return airflow.scheduled_run()


@pytest.fixture(scope="module")
def lost_worker(airflow: Airflow, scheduled: str) -> Caught:
    """The processes of a task whose worker was killed."""
    caught = airflow.caught(scheduled)
    caught.worker.kill()
    return caught


def test_a_killed_worker_leaves_no_process(lost_worker: Caught) -> None:
    lost_worker.all_end()


# -- ways to end a task -------------------------------------------------------------------------


def execution_timeout(airflow: Airflow, caught: Caught) -> None:
    caught.task.send_signal(signal.SIGALRM)  # as its timer does after two hours
    caught.all_end()
    assert "Process timed out" in airflow.log(DISTURBED, "ingest", caught.attempt)


def task_cleared(airflow: Airflow, caught: Caught) -> None:
    airflow.clear_task(DISTURBED, "ingest")


def scheduler_and_workers_stopped(airflow: Airflow, caught: Caught) -> None:
    airflow.stop("scheduler")
    caught.all_end()
    airflow.wait_for_end("scheduler", 60)
    airflow.start_scheduler()


def driver_killed(airflow: Airflow, caught: Caught) -> None:
    caught.driver.kill()


def task_process_killed(airflow: Airflow, caught: Caught) -> None:
    caught.task.kill()


WAYS = [execution_timeout, task_cleared, scheduler_and_workers_stopped, driver_killed, task_process_killed]


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("end", WAYS, ids=lambda end: end.__name__)
def test_an_ended_task_leaves_no_process_and_is_tried_again(
    airflow: Airflow, end: Callable[[Airflow, Caught], None]
) -> None:
    caught = airflow.caught(DISTURBED)
    end(airflow, caught)
    caught.all_end()
    assert airflow.caught(DISTURBED).attempt == caught.attempt + 1


@pytest.mark.usefixtures("lost_worker")
def test_a_task_whose_worker_was_killed_is_tried_again(airflow: Airflow, scheduled: str) -> None:
    """Last of all, because Airflow waits a while before it takes a worker for lost."""
    assert airflow.caught(scheduled).attempt > 1


def test_a_task_that_is_marked_failed_leaves_no_process_and_fails_its_run(
    airflow: Airflow, scheduled: str
) -> None:
    caught = airflow.caught(scheduled)
    airflow.fail_task(scheduled, "ingest")
    caught.all_end()
    airflow.until("the failed run ends", lambda: airflow.run_state(scheduled) == "failed", 30)


# -- the run that was disturbed -----------------------------------------------------------------


@pytest.fixture(scope="module")
def published(airflow: Airflow, held: ExitStack) -> Path:
    """The snapshot of the disturbed run, once nothing disturbs it any longer."""
    held.close()
    assert airflow.wait_for_run(DISTURBED, 300) == "success"
    return airflow.lake.root / "published" / f"as_of={AS_OF}"


def test_the_disturbed_run_publishes_all_files(published: Path) -> None:
    assert {file.name for file in published.iterdir()} == FILES


@pytest.mark.parametrize("name", TEXTS)
def test_the_disturbed_run_publishes_the_right_rows(published: Path, name: str) -> None:
    assert (published / name).read_bytes().decode() == TEXTS[name].replace("\n", "\r\n")


def test_the_disturbed_run_publishes_the_right_cut_points(published: Path) -> None:
    assert json.loads((published / "cut_points.json").read_text()) == CUT_POINTS


@pytest.mark.usefixtures("published")
def test_no_process_is_left_in_the_end(airflow: Airflow) -> None:
    airflow.until("no process is left", lambda: not airflow.drivers(), 20)


# -- notifications ------------------------------------------------------------------------------

KILLED = "manual__killed"


def told(airflow: Airflow, received: Received, title: str, of_run: str) -> tuple[Chat, Mail]:
    """The chat and the mail with a title that link to a run, once they have come."""

    def found() -> tuple[list[Chat], list[Mail]] | None:
        chats = [chat for chat in received.chats if chat.title == title and f"/runs/{of_run}\n" in chat.text]
        mails = [mail for mail in received.mails if mail.subject == title and f'/runs/{of_run}"' in mail.html]
        return (chats, mails) if chats and mails else None

    chats, mails = airflow.until(f"{of_run} is told: {title}", found, 60)
    assert (len(chats), len(mails)) == (1, 1)
    return chats[0], mails[0]


@pytest.mark.usefixtures("published")
def test_a_task_that_is_killed_outright_is_told(airflow: Airflow, received: Received) -> None:
    """Airflow calls no failure callback of a task whose process is gone (apache/airflow 60858)."""
    airflow.trigger(KILLED, as_of=AS_OF)
    airflow.until("rfm is submitted", lambda: airflow.task_process(KILLED, "rfm"), 120).kill()
    assert airflow.wait_for_run(KILLED, 60) == "failed"
    chat, mail = told(airflow, received, f"Failed: customer segments as of {AS_OF}", KILLED)
    for text in (chat.text, mail.html):
        assert "the process of the task ended without a word: killed" in text
        assert "clear the run from `rfm`" in text


def test_its_success_after_it_was_cleared_is_told(airflow: Airflow, received: Received) -> None:
    airflow.clear_task(KILLED, "rfm")
    assert airflow.wait_for_run(KILLED, 180) == "success"
    chat, _ = told(airflow, received, f"Recovered: customer segments as of {AS_OF}", KILLED)
    assert f"`rfm` had failed in the run {KILLED}." in chat.text


def test_the_tries_that_were_repeated_were_told(received: Received) -> None:
    """The Spark job of DISTURBED was killed once."""
    tries = [chat.text for chat in received.chats if chat.title.startswith("Trying again")]
    assert any("the Spark job ended with code -9" in text or "code 137" in text for text in tries), tries


# -- failures for a person ----------------------------------------------------------------------

# The runs, the params of each, and how its last line starts. Two of them fail at the same time.
FAILING: dict[str, tuple[dict[str, str], str]] = {
    "manual__bad_data": ({"as_of": AS_OF}, "ingest: bad.csv"),
    "manual__bad_data_at_the_same_time": ({"as_of": AS_OF}, "ingest: bad.csv"),
    "manual__bad_params": ({"as_of": "2911-12-10"}, "ingest: as_of: 2911-12-10 is in the future"),
}


@pytest.fixture(scope="module")
def failing(airflow: Airflow) -> Iterator[None]:
    """The runs of FAILING, on a landing folder with a bad file."""
    open_shop(airflow.lake.root)
    bad = land(airflow.lake.root, "bad.csv", ["1,A,101"], header="InvoiceNo,InvoiceDate,CustomerID")
    try:
        airflow.unpause()
        for run, (params, _) in FAILING.items():
            airflow.trigger(run, **params)
        yield
    finally:
        bad.unlink()


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("run", FAILING)
def test_bad_data_and_bad_params_fail_at_once_and_say_so_last(airflow: Airflow, run: str) -> None:
    assert airflow.wait_for_run(run, 180) == "failed"
    assert airflow.attempt(run, "ingest") == 1
    lines = [text for text in airflow.log(run, "ingest", 1) if not text.startswith("::")]
    assert lines[-1].startswith(FAILING[run][1])


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("run", ["manual__bad_data", "manual__bad_params"])
def test_bad_data_and_bad_params_are_told_in_the_job_s_own_words(
    airflow: Airflow, received: Received, run: str
) -> None:
    params, words = FAILING[run]
    assert airflow.wait_for_run(run, 180) == "failed"
    chat, mail = told(airflow, received, f"Failed: customer segments as of {params['as_of']}", run)
    for text in (chat.text, mail.html):
        assert words in text
        assert "clear the run from `ingest`" in text


@pytest.mark.usefixtures("failing")
def test_no_log_has_a_secret_of_who_is_told(airflow: Airflow, received: Received) -> None:
    assert received.chats
    logs = [file.read_text(errors="replace") for file in airflow.home.rglob("*.log")]
    assert any("Sent JSON POST notification" in log for log in logs)
    assert not [secret for secret in (TOKEN, PASSWORD) for log in logs if secret in log]


def test_a_param_that_the_form_does_not_offer_starts_no_run(airflow: Airflow) -> None:
    with pytest.raises(AssertionError, match=r"400 .*'rf12' is not one of \[None, 'rf10', 'rfm11'\]"):
        airflow.trigger("manual__unknown_map", as_of=AS_OF, segment_map="rf12")
    assert "manual__unknown_map" not in {run["dag_run_id"] for run in airflow.runs()}
