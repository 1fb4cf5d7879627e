"""A real Airflow for the tests of this folder, driven through its REST API.

The three processes a deployment has, on a database, a lake and a port of their own. The DAG is the
real one, but with more tries and less delay between them.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from include.lake.commit import Lake
from include.pipeline import PROJECT

DAG = "rfm_segmentation"

MORE_TRIES = """\
from datetime import timedelta

def task_policy(task):
    task.retries *= 3
    task.retry_delay = timedelta(seconds=1)
    task.retry_exponential_backoff = 0
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass
class Caught:
    """The processes of a task at work, each the parent of the one before."""

    driver: psutil.Process
    submit: psutil.Process
    task: psutil.Process
    worker: psutil.Process
    attempt: int

    def all_end(self, seconds: float = 20) -> None:
        family = [self.driver, self.submit, self.task]
        _, alive = psutil.wait_procs(family, timeout=seconds)
        assert alive == [], f"still there {seconds} s later"


class Airflow:
    """What a test does with it, and what it sees of the processes of its tasks."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.lake = Lake(home / "a lake")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.client = httpx.Client(base_url=self.url, timeout=30)

    @property
    def environment(self) -> dict[str, str]:
        """That of the Makefile, with all files in the home, and a short patience."""
        temporary = self.home / "tmp"
        quick = "-XX:-UsePerfData -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
        java = os.environ.get("SPARK_SUBMIT_OPTS", quick)
        ours = ("AIRFLOW", "RFM_", "SPARK_", "PYSPARK_")
        return {
            name: value
            for name, value in os.environ.items()
            if name == "SPARK_HOME" or not name.startswith(ours)
        } | {
            "PATH": f"{PROJECT}/.venv/bin{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(temporary),
            "RFM_LAKE": str(self.lake.root),
            "SPARK_CONF_DIR": os.environ.get("SPARK_CONF_DIR", str(PROJECT / "include" / "spark")),
            "SPARK_LOCAL_DIRS": str(temporary),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LAUNCHER_OPTS": quick,
            "SPARK_SUBMIT_OPTS": f'{java} "-Djava.io.tmpdir={temporary}"',
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW_CONN_SPARK_DEFAULT": '{"conn_type": "spark", "host": "local[2]"}',
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": os.environ.get(
                "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME", "1"
            ),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": self.secret,
            "AIRFLOW__API_AUTH__JWT_SECRET": self.secret,
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        }

    secret = secrets.token_hex(32)

    # -- its own processes ----------------------------------------------------------------------

    def prepare(self) -> None:
        for folder in ("dags", "tmp", "config"):
            (self.home / folder).mkdir(parents=True)
        shutil.copy(PROJECT / "dags" / "rfm_segmentation.py", self.home / "dags")
        (self.home / "config" / "airflow_local_settings.py").write_text(MORE_TRIES)
        self.start("db", "migrate").wait(timeout=120)

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """Each in a process group of its own, as under a service manager."""
        with (self.home / f"{command[0]}.log").open("ab") as log:
            self.processes[command[0]] = subprocess.Popen(
                [sys.executable, "-m", "airflow", *command],
                env=self.environment,
                cwd=self.home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.processes[command[0]]

    def start_scheduler(self) -> None:
        self.start("scheduler", "--skip-serve-logs")

    def stop_scheduler(self) -> None:
        """SIGTERM to it and its workers, as a service manager does."""
        os.killpg(self.processes["scheduler"].pid, signal.SIGTERM)

    def start_all(self) -> None:
        self.start("api-server", "--port", self.url.rsplit(":", 1)[1])
        self.start_scheduler()
        self.start("dag-processor")
        self.until("the API answers", self.log_in, 180)
        self.until("the DAG is there", lambda: self.get("dags")["dags"], 120)

    def log_in(self) -> bool:
        with suppress(httpx.TransportError):
            answer = self.client.get("/auth/token")
            if answer.status_code == 201:
                self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
                return True
        return False

    def end(self) -> None:
        everything = []
        for process in self.processes.values():
            with suppress(psutil.NoSuchProcess):
                everything += [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
        for process in [*everything, *self.drivers()]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for popen in self.processes.values():
            popen.wait(timeout=30)

    # -- what a user does -----------------------------------------------------------------------

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.client.request(method, f"/api/v2/{path}", json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def unpause(self) -> None:
        self.ask("PATCH", f"dags/{DAG}", {"is_paused": False})

    def trigger(self, run: str, **conf: Any) -> None:
        self.ask("POST", f"dags/{DAG}/dagRuns", {"dag_run_id": run, "logical_date": None, "conf": conf})

    def fail_task(self, run: str, task: str) -> None:
        self.ask("PATCH", f"dags/{DAG}/dagRuns/{run}/taskInstances/{task}", {"new_state": "failed"})

    def clear_task(self, run: str, task: str) -> None:
        body = {"dag_run_id": run, "task_ids": [task], "dry_run": False, "only_failed": False}
        self.ask("POST", f"dags/{DAG}/clearTaskInstances", body)

    def scheduled_run(self) -> str:
        def found() -> list[dict[str, Any]]:
            return [r for r in self.get(f"dags/{DAG}/dagRuns")["dag_runs"] if r["run_type"] == "scheduled"]

        run: str = self.until("a run is scheduled", found, 120)[0]["dag_run_id"]
        return run

    def run_state(self, run: str) -> str:
        state: str = self.get(f"dags/{DAG}/dagRuns/{run}")["state"]
        return state

    def attempt(self, run: str, task: str) -> int:
        number: int = self.get(f"dags/{DAG}/dagRuns/{run}/taskInstances/{task}")["try_number"]
        return number

    def log(self, run: str, task: str, attempt: int) -> list[str]:
        """The lines of a task's log as the UI shows them."""
        content = self.get(f"dags/{DAG}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}")["content"]
        return [entry["event"] for entry in content]

    # -- what is seen of it ---------------------------------------------------------------------

    def drivers(self, run: str = "") -> list[psutil.Process]:
        """The processes of a run's jobs, or of all: each spark-submit and its Python."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                command = " ".join(process.cmdline())
                ours = process.environ().get("RFM_LAKE") == str(self.lake.root)
                if ours and run in command and str(PROJECT / "spark_jobs") in command:
                    found.append(process)
        return found

    def caught(self, run: str) -> "Caught":
        """The run's ingest, once its driver waits for the lock that the test holds."""
        lock = self.lake.root.resolve() / ".listing.lock"

        def waiting() -> psutil.Process | None:
            for process in self.drivers(run):
                with suppress(psutil.Error):
                    if any(Path(file.path) == lock for file in process.open_files()):
                        return process
            return None

        driver = self.until(f"the driver of {run} waits for the lock", waiting, 180)
        submit, task, worker = driver.parents()[:3]
        return Caught(driver, submit, task, worker, self.attempt(run, "ingest"))

    def until(self, what: str, condition: Callable[[], Any], seconds: float) -> Any:
        """What the condition returns once that is true."""
        deadline = time.monotonic() + seconds
        while not (told := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds} s: {what}\n{self.last_words()}")
            time.sleep(0.2)
        return told

    def last_words(self) -> str:
        logs = sorted(self.home.glob("*.log"))
        return "\n".join(f"-- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    airflow = Airflow(tmp_path_factory.mktemp("an airflow") / "home")
    try:
        airflow.prepare()
        airflow.start_all()
        yield airflow
    finally:
        airflow.end()
