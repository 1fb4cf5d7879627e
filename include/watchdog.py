"""The watchdog: a driver exits when its Airflow task is gone.

A task that times out, is cleared or is marked failed ends its driver itself (the operator's `on_kill`).
A task process that is killed (out of memory, say) cannot end its driver, and when its worker is killed,
nobody receives its result. So the driver watches both, and exits when one is gone.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

SECONDS_BETWEEN_CHECKS = 1.0


def on_this_host(*pids: int) -> str:
    """The processes as exit_without_task takes them: host:pid, and the worker's pid where there is one."""
    return ":".join([socket.gethostname(), *map(str, pids)])


def exit_without_task(task_processes: str) -> None:
    """Start a thread that ends this driver as soon as one of these processes, or its spark-submit, is gone.

    Without processes (run by hand) or on another host (cluster mode) nothing is watched.
    """
    host, *pids = task_processes.split(":")
    if host == socket.gethostname():
        watched = [int(pid) for pid in pids]
        threading.Thread(target=watch, args=(watched, os.getppid()), daemon=True).start()


def watch(pids: Sequence[int], submit: int) -> None:
    try:
        processes = [psutil.Process(pid) for pid in pids]
        while os.getppid() == submit and all(map(is_alive, processes)):
            time.sleep(SECONDS_BETWEEN_CHECKS)
    except psutil.NoSuchProcess:
        pass
    with suppress(OSError):  # the reader may be gone as well
        print("rfm: the Airflow task of this driver is gone; the driver ends", file=sys.stderr, flush=True)
    os._exit(1)  # immediately, whatever other threads wait for; spark-submit ends with its driver


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
