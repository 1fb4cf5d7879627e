"""A driver ends when its Airflow task, the worker above or the spark-submit between them is gone.

Here with plain processes; `tests/e2e/test_no_orphans.py` has Airflow and Spark.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from include.pipeline import PROJECT
from include.watchdog import VARIABLE, on_this_host

DRIVER = """
import os, signal, threading, time
from include import watchdog as task_process
task_process.LOOK_EVERY_SECONDS = 0.1
task_process.end_without_task()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), "watches" if threading.active_count() > 1 else "does not watch", flush=True)
time.sleep(60)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process whose output can be read; what is left of it and its children is ended."""
    started = []

    def now(*command: str, watched: str | None = None) -> "subprocess.Popen[str]":
        env = {**os.environ, "PYTHONPATH": str(PROJECT), VARIABLE: watched or ""}
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield now
    for process in started:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.communicate()


@pytest.fixture
def driver(start: Start) -> Start:
    return lambda watched: start(sys.executable, "-c", DRIVER, watched=watched)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.parametrize("gone", ["the task process", "its worker"])
def test_a_driver_ends_at_once_and_says_why(start: Start, driver: Start, gone: str) -> None:
    named = {name: start("sleep", "60") for name in ("the task process", "its worker")}
    ends = driver(on_this_host(*(process.pid for process in named.values())))
    assert first_line(ends).endswith(" watches")

    named[gone].kill()  # and nobody reaps it: a zombie is gone, too

    _, told = ends.communicate(timeout=10)
    assert ends.returncode == 1
    assert told == "rfm: the Airflow task of this driver is gone; the driver ends\n"


def test_a_driver_whose_task_is_gone_before_it_starts_ends_as_well(start: Start, driver: Start) -> None:
    task = start("true")
    task.wait()
    assert driver(on_this_host(task.pid)).wait(timeout=10) == 1


def test_a_driver_ends_with_its_spark_submit(start: Start) -> None:
    shell = 'true; "$0" -c "$1" & wait'
    submit = start("sh", "-c", shell, sys.executable, DRIVER, watched=on_this_host(os.getpid()))
    pid, told = first_line(submit).split(maxsplit=1)
    assert told == "watches"
    ends = psutil.Process(int(pid))

    submit.kill()

    _, alive = psutil.wait_procs([ends], timeout=10)
    assert not alive


@pytest.mark.parametrize("watched", [None, "another-host:1"])
def test_by_hand_or_in_cluster_mode_nothing_is_watched(driver: Start, watched: str | None) -> None:
    assert first_line(driver(watched)).endswith(" does not watch")
