"""Ends a driver whose Airflow task is gone.

A task that times out, is cleared or is marked failed ends its driver itself (`on_kill` of the
operator). A task process that is killed, as when memory runs out, ends nothing any more; and when
its worker is killed, nobody will hear of its result. So the driver looks after them, and ends too.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

VARIABLE = "RFM_TASK_PROCESS"  # set by the operator: host:pid, and the worker's pid where there is one
LOOK_EVERY_SECONDS = 1.0


def on_this_host(*pids: int) -> str:
    """The processes as the variable names them."""
    return ":".join([socket.gethostname(), *map(str, pids)])


def end_without_task() -> None:
    """End this driver as soon as one of the named processes, or its spark-submit, is gone.

    Without the variable (run by hand) or on another host (cluster mode) nothing is watched.
    """
    host, *pids = os.environ.get(VARIABLE, "").split(":")
    if host == socket.gethostname():
        watched = [int(pid) for pid in pids]
        threading.Thread(target=watch, args=(watched, os.getppid()), daemon=True).start()


def watch(pids: Sequence[int], submit: int) -> None:
    try:
        processes = [psutil.Process(pid) for pid in pids]
        while os.getppid() == submit and all(map(alive, processes)):
            time.sleep(LOOK_EVERY_SECONDS)
    except psutil.NoSuchProcess:
        pass
    with suppress(OSError):  # who would read it may be gone as well
        print("rfm: the Airflow task of this driver is gone; the driver ends", file=sys.stderr, flush=True)
    os._exit(1)  # at once, whatever the other threads wait for; spark-submit ends with its driver


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
