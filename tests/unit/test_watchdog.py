"""A driver ends when its Airflow task, the worker above it or the spark-submit between them is gone.

Here with plain processes; `tests/e2e/test_no_orphans.py` has Airflow and Spark.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from include.pipeline import PROJECT
from include.watchdog import on_this_host

DRIVER = """
import os, signal, sys, threading, time
from include import watchdog
watchdog.SECONDS_BETWEEN_CHECKS = 0.1
watchdog.exit_without_task(sys.argv[1])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), "watches" if threading.active_count() > 1 else "does not watch", flush=True)
time.sleep(60)
"""
GONE = "rfm: the Airflow task of this driver is gone; the driver ends\n"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process whose output can be read. It and its children are ended with the test."""
    started = []

    def start_process(*command: str) -> "subprocess.Popen[str]":
        env = {**os.environ, "PYTHONPATH": str(PROJECT)}
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start_process
    for process in started:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.communicate()


@pytest.fixture
def driver(start: Start) -> Start:
    """Start a driver that watches the given processes."""
    return lambda watched: start(sys.executable, "-c", DRIVER, watched)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.parametrize("gone", ["the task process", "its worker"])
def test_a_driver_ends_at_once_with_its_reason(start: Start, driver: Start, gone: str) -> None:
    named = {name: start("sleep", "60") for name in ("the task process", "its worker")}
    ends = driver(on_this_host(*(process.pid for process in named.values())))
    assert first_line(ends).endswith(" watches")

    named[gone].kill()  # it is not reaped, and a zombie counts as gone

    _, printed = ends.communicate(timeout=10)
    assert ends.returncode == 1
    assert printed == GONE


def test_a_driver_ends_when_its_task_is_gone_before_it_starts(start: Start, driver: Start) -> None:
    task = start("true")
    task.wait()
    ends = driver(on_this_host(task.pid))
    _, printed = ends.communicate(timeout=10)
    assert (ends.returncode, printed) == (1, GONE)


def test_a_driver_ends_with_its_spark_submit(start: Start) -> None:
    shell = 'true; "$0" -c "$1" "$2" & wait'
    submit = start("sh", "-c", shell, sys.executable, DRIVER, on_this_host(os.getpid()))
    pid, state = first_line(submit).split(maxsplit=1)
    assert state == "watches"
    ends = psutil.Process(int(pid))

    submit.kill()

    _, alive = psutil.wait_procs([ends], timeout=10)
    assert not alive


@pytest.mark.parametrize("watched", ["", "another-host:1"])
def test_nothing_is_watched_by_hand_or_in_cluster_mode(driver: Start, watched: str) -> None:
    assert first_line(driver(watched)).endswith(" does not watch")
