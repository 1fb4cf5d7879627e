"""The log of `airflow dags test` gives the states of the tasks. The logs here are of real runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from include.commands.dag_test_log import failure_reason, follow, task_states
from include.pipeline import TASKS

LOGS = Path(__file__).parent / "logs"


def read_log(name: str) -> str:
    return (LOGS / f"{name}.log").read_text()


# -- states -------------------------------------------------------------------------------------


def test_every_task_of_a_run_succeeds_also_those_that_had_nothing_to_do() -> None:
    states = list(task_states(read_log("nothing_new").splitlines()))
    assert states == [(task, state) for task in TASKS for state in ("running", "success")]


def test_the_tasks_after_a_failed_one_are_upstream_failed() -> None:
    states = list(task_states(read_log("failed").splitlines()))
    assert states == [
        ("ingest", "running"),
        ("ingest", "failed"),
        ("clean", "upstream_failed"),
        ("rfm", "upstream_failed"),
        ("segment", "upstream_failed"),
        ("publish", "upstream_failed"),
    ]


def test_a_task_that_is_tried_again_runs_twice() -> None:
    states = list(task_states(read_log("retried").splitlines()))
    assert states == [("rfm", "running"), ("rfm", "up_for_retry"), ("rfm", "running"), ("rfm", "success")]


@pytest.mark.parametrize(
    "last_line, expected",
    [
        ("[DAG TEST] running task <TaskInstance: rfm_segmentation.ingest", []),
        ("] Task started ", [("ingest", "running")]),
        ("new_state=success", [("ingest", "running"), ("ingest", "success")]),
    ],
)
def test_a_state_is_known_as_soon_as_its_line_is_there(
    last_line: str, expected: list[tuple[str, str]]
) -> None:
    lines = read_log("nothing_new").splitlines()
    until = next(number for number, line in enumerate(lines, start=1) if last_line in line)
    assert list(task_states(lines[:until])) == expected


def test_a_log_that_ends_before_the_first_task_has_no_states() -> None:
    assert list(task_states(["Traceback (most recent call last):", "ImportError: cannot import name"])) == []


# -- following ----------------------------------------------------------------------------------

WRITER = """
import sys, time
for part in ("one\\ntw", "o\\nth", "ree: \\N{POUND SIGN}\\n", "last"):
    sys.stdout.buffer.write(part.encode())
    sys.stdout.flush()
    time.sleep(0.4)
"""


def test_lines_are_followed_whole_until_the_process_ends(tmp_path: Path) -> None:
    log = tmp_path / "a log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", WRITER], stdout=output)
    assert list(follow(log, process)) == ["one", "two", "three: £", "last"]
    assert process.wait() == 0


# -- the reason of a failure --------------------------------------------------------------------


def test_the_reason_is_the_message_of_the_failed_task() -> None:
    reason = "ingest: /lake/landing: no landed file has a line below its header"
    assert failure_reason(read_log("failed")) == reason


@pytest.mark.parametrize(
    "name", ["UserError", "ConfigError", "InputError", "OutdatedError", "TransientError"]
)
def test_the_reason_is_the_message_of_the_last_error_of_ours(name: str) -> None:
    assert (
        failure_reason(f"RuntimeError: first\ninclude.errors.{name}: the time zone\nmore") == "the time zone"
    )


def test_the_log_is_the_reason_where_no_error_is_known() -> None:
    assert failure_reason("KeyError: 'x'\n") == "see the log"
