"""A real Airflow for the tests of this folder, driven through its REST API.

It has the three processes of a deployment, and a database, a lake and a port of its own. The DAG is the
real one, but with more tries and less delay between them; one task has one try only. Notifications go to a
chat and a mail server of the tests, metrics to a StatsD server.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from include.lake.commit import NUMBER_LOCK, lock_file
from include.lake.paths import Lake
from include.pipeline import DAG_ID, LAKE_VARIABLE, PROJECT, SPARK_CONNECTION
from tests import statsd
from tests.java_options import SHORT_JOB, read_options
from tests.receivers import Received, listening
from tests.statsd import StatsD

MORE_TRIES = """\
from datetime import timedelta

def task_policy(task):
    task.retries = 0 if task.task_id == "rfm" else 3 * task.retries
    task.retry_delay = timedelta(seconds=1)
    task.retry_exponential_backoff = 0
    task.max_active_tis_per_dag = None  # two runs are held in `ingest` at a time
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass
class Caught:
    """The processes of a task at work. Each is the parent of the one before."""

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
    """An Airflow in a folder: what a test does with it, and sees of the processes of its tasks."""

    def __init__(self, home: Path, connections: Mapping[str, str]) -> None:
        self.home = home
        self.connections = connections
        self.lake = Lake(home / "a lake")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.client = httpx.Client(base_url=self.url, timeout=30)

    @property
    def environment(self) -> dict[str, str]:
        """The Makefile's environment, with all files in the home."""
        temporary = self.home / "tmp"
        short_job = read_options(SHORT_JOB)
        java = os.environ.get("SPARK_SUBMIT_OPTS", short_job)
        ours = ("AIRFLOW", "RFM_", "SPARK_", "PYSPARK_")
        kept = {
            name: value
            for name, value in os.environ.items()
            if name == "SPARK_HOME" or not name.startswith(ours)
        }
        return kept | {
            "PATH": f"{PROJECT}/.venv/bin{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(temporary),
            LAKE_VARIABLE: str(self.lake.root),
            "SPARK_CONF_DIR": os.environ.get("SPARK_CONF_DIR", str(PROJECT / "include" / "spark")),
            "SPARK_LOCAL_DIRS": str(temporary),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LAUNCHER_OPTS": short_job,
            "SPARK_SUBMIT_OPTS": f'{java} "-Djava.io.tmpdir={temporary}"',
            f"AIRFLOW_CONN_{SPARK_CONNECTION.upper()}": '{"conn_type": "spark", "host": "local[2]"}',
            **self.connections,
            **self.settings,
        }

    @property
    def settings(self) -> dict[str, str]:
        """Airflow's settings, with a short patience."""
        settings = {
            "CORE__DAGS_FOLDER": str(self.home / "dags"),
            "CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": os.environ.get(
                "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME", "1"
            ),
            "API__BASE_URL": self.url,
            "API__WORKERS": "1",
            "API__SECRET_KEY": self.secret,
            "API_AUTH__JWT_SECRET": self.secret,
            "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        }
        return {"AIRFLOW_HOME": str(self.home)} | {
            f"AIRFLOW__{name}": value for name, value in settings.items()
        }

    secret = secrets.token_hex(32)

    # -- its own processes ----------------------------------------------------------------------

    def prepare(self) -> None:
        for folder in ("dags", "tmp", "config"):
            (self.home / folder).mkdir(parents=True)
        shutil.copy(PROJECT / "dags" / f"{DAG_ID}.py", self.home / "dags")
        (self.home / "config" / "airflow_local_settings.py").write_text(MORE_TRIES)
        self.start("db", "migrate").wait(timeout=120)

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """Start a process in a group of its own, as a service manager does."""
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

    def start_dag_processor(self) -> None:
        self.start("dag-processor")

    def stop(self, name: str) -> None:
        """Send SIGTERM to a process and those below it, as a service manager does."""
        os.killpg(self.processes[name].pid, signal.SIGTERM)

    def wait_for_end(self, name: str, seconds: float) -> None:
        """Wait until a process has ended, with SIGTERM again every 10 s. Python drops the SystemExit of a
        signal handler that runs in the middle of garbage collection."""
        process = self.processes[name]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
                return
            process.terminate()
        pytest.fail(f"{name} has not ended in {seconds} s\n{self.last_words()}")

    @contextmanager
    def only_the_api(self) -> Iterator[None]:
        """Inside this context no other process writes to the database: on SQLite their transactions would
        make those of the API fail."""
        others = ("scheduler", "dag-processor")
        for name in others:
            self.stop(name)
        for name in others:
            self.wait_for_end(name, 60)
        yield
        self.start_scheduler()
        self.start_dag_processor()

    def start_all(self) -> None:
        self.start("api-server", "--port", self.url.rsplit(":", 1)[1])
        self.start_scheduler()
        self.start_dag_processor()
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
        everything: list[psutil.Process] = []
        for popen in self.processes.values():
            with suppress(psutil.NoSuchProcess):
                everything += [psutil.Process(popen.pid), *psutil.Process(popen.pid).children(True)]
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
        self.ask("PATCH", f"dags/{DAG_ID}", {"is_paused": False})

    def trigger(self, run: str, **conf: Any) -> None:
        self.ask("POST", f"dags/{DAG_ID}/dagRuns", {"dag_run_id": run, "logical_date": None, "conf": conf})

    def backfill(self, first: str, last: str) -> None:
        """Start a backfill of the logical dates from the first day to the last one."""
        body = {"dag_id": DAG_ID, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T23:59:59Z"}
        self.ask("POST", "backfills", body)

    def fail_task(self, run: str, task: str) -> None:
        self.ask("PATCH", f"dags/{DAG_ID}/dagRuns/{run}/taskInstances/{task}", {"new_state": "failed"})

    def clear_task(self, run: str, task: str) -> None:
        choice = {"task_ids": [task], "include_downstream": True, "only_failed": False}
        body = {"dag_run_id": run, "dry_run": False, **choice}
        self.ask("POST", f"dags/{DAG_ID}/clearTaskInstances", body)

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"dags/{DAG_ID}/dagRuns?limit=100")["dag_runs"]
        return found

    def scheduled_run(self) -> str:
        def found() -> list[str]:
            return [run["dag_run_id"] for run in self.runs() if run["run_type"] == "scheduled"]

        run: str = self.until("a run is scheduled", found, 120)[0]
        return run

    def run_state(self, run: str) -> str:
        state: str = self.get(f"dags/{DAG_ID}/dagRuns/{run}")["state"]
        return state

    def wait_for_run(self, run: str, seconds: float) -> str:
        """Wait until a run has ended. Returns its state."""
        self.until(f"{run} ends", lambda: self.run_state(run) in ("success", "failed"), seconds)
        return self.run_state(run)

    def attempt(self, run: str, task: str) -> int:
        number: int = self.get(f"dags/{DAG_ID}/dagRuns/{run}/taskInstances/{task}")["try_number"]
        return number

    def log(self, run: str, task: str, attempt: int) -> list[str]:
        """The lines of a task's log as the UI shows them."""
        path = f"dags/{DAG_ID}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}"
        return [entry["event"] for entry in self.get(path)["content"]]

    # -- what is seen of it ---------------------------------------------------------------------

    def drivers(self, run: str = "") -> list[psutil.Process]:
        """The processes of a run's jobs, or of all: each spark-submit and its Python."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                command = " ".join(process.cmdline())
                ours = process.environ().get(LAKE_VARIABLE) == str(self.lake.root)
                if ours and run in command and str(PROJECT / "spark_jobs") in command:
                    found.append(process)
        return found

    def task_process(self, run: str, task: str) -> psutil.Process | None:
        """The process of a task that has submitted its job. None before."""
        script = str(PROJECT / "spark_jobs" / f"{task}.py")
        for process in self.drivers(run):
            with suppress(psutil.Error):
                parent = process.parent()
                if script in process.cmdline() and parent and script not in parent.cmdline():
                    return parent
        return None

    def caught(self, run: str) -> "Caught":
        """The run's `ingest`, once its driver waits for the lock that the test holds."""
        lock = lock_file(self.lake, NUMBER_LOCK).resolve()

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
        """Wait until a condition is true. Returns its value."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds} s: {what}\n{self.last_words()}")
            time.sleep(0.2)
        return value

    def last_words(self) -> str:
        logs = sorted(self.home.glob("*.log"))
        return "\n".join(f"-- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)


@pytest.fixture(scope="package")
def received() -> Iterator[Received]:
    with listening() as received:
        yield received


@pytest.fixture(scope="package")
def metrics() -> Iterator[StatsD]:
    with statsd.listening() as metrics:
        yield metrics


@pytest.fixture(scope="package")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, received: Received, metrics: StatsD
) -> Iterator[Airflow]:
    receivers = received.connections | metrics.settings
    airflow = Airflow(tmp_path_factory.mktemp("an airflow") / "home", receivers)
    try:
        airflow.prepare()
        airflow.start_all()
        yield airflow
    finally:
        airflow.end()
