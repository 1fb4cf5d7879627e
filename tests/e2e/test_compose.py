"""docker-compose.yaml for real: a copy of the project, brought up from nothing on ports of its own.

It takes Docker, 8 GiB and minutes, so it runs only where RFM_COMPOSE is set. The cases share one stack, in
any order: each takes dates of its own. RFM_DOCKER_SCRIPTS is a folder of scripts that start Docker and make
the base images, for a machine where neither is at hand.
"""

import hashlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import httpx
import psycopg
import pytest

from include.pipeline import DAG_ID, PROJECT
from tests.e2e.conftest import free_port

KNOWN = date(2011, 12, 10)
DAG = f"/api/v2/dags/{DAG_ID}"
SERVICES = {"postgres", "warehouse", "api-server", "scheduler", "dag-processor", "triggerer",
            "spark-master", "spark-worker", "spark-history"}  # fmt: skip


T = TypeVar("T")


def sh(*command: object, cwd: Path | None = None) -> str:
    """Run a command. Returns its output."""
    words = [*map(str, command)]
    done = subprocess.run(words, text=True, capture_output=True, check=False, cwd=cwd)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
    return done.stdout


def until(what: str, seconds: float, wanted: Callable[[], T], pause: float = 1.0) -> T:
    """Wait until a condition is true. Returns its value."""
    deadline = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < deadline, f"not {what} after {seconds} s"
        time.sleep(pause)
    return found


class Stack:
    """The services of docker-compose.yaml, from a folder with the project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = ["AIRFLOW_PORT", "WAREHOUSE_PORT", "SPARK_MASTER_PORT", "SPARK_HISTORY_PORT"]
        self.ports = {name: free_port() for name in ports}
        settings = {"COMPOSE_PROJECT_NAME": "rfm-e2e", "RFM_IMAGE": "rfm-segmentation:e2e"} | self.ports
        (folder / ".env").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self.command = sh("bash", "-c", ". include/compose/command; echo ${compose[@]}", cwd=folder).split()
        self.env: dict[str, str] = {}
        self.scheduled = ""  # the schedule's own run

    def up(self) -> str:
        output = sh("make", "up", cwd=self.folder)
        lines = (self.folder / ".env").read_text().splitlines()
        self.env = dict(line.split("=", 1) for line in lines)
        self.sign_in()
        return output

    def sign_in(self) -> None:
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{self.ports['AIRFLOW_PORT']}", timeout=30)
        user = {"username": "admin", "password": self.env["ADMIN_PASSWORD"]}
        token = self.api.post("/auth/token", json=user).raise_for_status().json()["access_token"]
        self.api.headers["Authorization"] = f"Bearer {token}"

    def compose(self, *arguments: str) -> str:
        return sh(*self.command, *arguments, cwd=self.folder)

    def container(self, service: str) -> str:
        return self.compose("ps", "-q", service).split()[0]

    def get(self, path: str, **params: int) -> Any:
        return self.api.get(path, params=params).raise_for_status().json()

    def trigger(self, as_of: date, **conf: object) -> str:
        body = {"logical_date": None, "conf": {"as_of": as_of.isoformat()} | conf}
        run: str = self.api.post(f"{DAG}/dagRuns", json=body).raise_for_status().json()["dag_run_id"]
        return run

    def states(self, run: str) -> dict[str, str]:
        found = self.get(f"{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def until_running(self, run: str, task: str, seconds: float = 900) -> None:
        until(f"running {task}", seconds, lambda: self.states(run)[task] in ("running", "success"))
        assert self.states(run)[task] == "running"

    def wait(self, run: str, seconds: float = 1500) -> None:
        def ended() -> str | None:
            try:
                state: str = self.get(f"{DAG}/dagRuns/{run}")["state"]
            except httpx.HTTPError:  # the api-server may be starting again
                return None
            return state if state in ("success", "failed") else None

        state = until(f"the end of {run}", seconds, ended, pause=3)
        assert state == "success", self.states(run)

    def spark(self, port: str, path: str) -> Any:
        user = ("spark", self.env["SPARK_UI_PASSWORD"])
        return httpx.get(f"http://127.0.0.1:{self.ports[port]}{path}", auth=user).raise_for_status().json()

    def query(self, text: LiteralString, *values: object, user: str = "analyst") -> list[tuple[Any, ...]]:
        password = self.env[f"WAREHOUSE_{user.upper()}_PASSWORD"]
        address = f"postgresql://{user}:{password}@127.0.0.1:{self.ports['WAREHOUSE_PORT']}/warehouse"
        with psycopg.connect(address) as connection:
            return connection.execute(text, values).fetchall()

    def copy_published(self, as_of: date, to: Path) -> Path:
        """Copy the published folder out of the lake's volume."""
        folder = to / as_of.isoformat()
        folder.mkdir(parents=True)
        path = f"{self.container('scheduler')}:/lake/published/as_of={as_of}/."
        sh("docker", "cp", "-L", path.removesuffix("/."), folder)
        return next(folder.iterdir())

    def check_no_orphan(self) -> None:
        """No driver, application, session or attempt of an interrupted run is left."""
        until("idle", 120, lambda: not self.spark("SPARK_MASTER_PORT", "/json/")["activeapps"])
        drivers = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '[s]park_jobs/' || true"
        assert self.compose("exec", "-T", "scheduler", "sh", "-c", drivers).strip() == "0"
        attempts = "ls /lake/.attempts 2>/dev/null | wc -l"
        assert self.compose("exec", "-T", "scheduler", "sh", "-c", attempts).strip() == "0"
        others = "select count(*) from pg_stat_activity where application_name = 'rfm publish'"
        assert self.query(others) == [(0,)]

    def copy_checked(self, as_of: date, to: Path) -> Path:
        """Copy the published folder, and check that the warehouse holds the same snapshot."""
        folder = self.copy_published(as_of, to)
        record = json.loads((folder / "run.json").read_text())
        found = self.query(
            "select r.dag_run, r.customers, count(*) from pipeline_runs r"
            " join customer_segments using (as_of) where as_of = %s group by r.dag_run, r.customers",
            as_of,
        )
        n = record["stages"]["publish"]["rows_out"]
        assert found == [(record["dag_run"], n, n)]
        return folder


def start_docker() -> None:
    """Skip the test unless there is a Docker with the base images, or RFM_DOCKER_SCRIPTS gives one."""
    scripts = os.environ.get("RFM_DOCKER_SCRIPTS") if os.geteuid() == 0 else None
    if scripts:
        sh(Path(scripts, "start-docker"))
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no Docker here")
    if scripts:
        sh(Path(scripts, "make-base-image"))
        sh(Path(scripts, "make-postgres-image"))


def copy_project(folder: Path) -> None:
    """Copy all files of the project that git does not ignore."""
    for name in sh("git", "ls-files", "-co", "--exclude-standard", cwd=PROJECT).splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (PROJECT / name).is_file():
            shutil.copy(PROJECT / name, folder / name)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Iterator[Stack]:
    """A stack that was brought up from nothing, with the real data landed. The schedule's own run, over the
    interval that has just ended, is stopped: the first case takes one run only."""
    if not os.environ.get("RFM_COMPOSE"):
        pytest.skip("starts the whole system in Docker; set RFM_COMPOSE=1 to do so")
    start_docker()
    folder = tmp_path_factory.mktemp("compose") / "rfm"
    copy_project(folder)
    started = Stack(folder)
    try:
        output = started.up()
        assert started.env["ADMIN_PASSWORD"] in output
        assert started.env["ADMIN_PASSWORD"] not in started.up()  # it is shown once
        sh("make", "land", f"DATA={real_data.resolve()}", cwd=folder)
        started.api.patch(DAG, json={"is_paused": False}).raise_for_status()
        runs = until("scheduled", 120, lambda: started.get(f"{DAG}/dagRuns")["dag_runs"])
        started.scheduled = runs[0]["dag_run_id"]
        started.api.patch(f"{DAG}/dagRuns/{started.scheduled}", json={"state": "failed"}).raise_for_status()
        yield started
    finally:
        started.compose("down", "--volumes", "--remove-orphans")


@pytest.fixture(scope="module")
def stack(fresh: Stack) -> Stack:
    """The stack after the schedule's own run, with no run at work."""
    fresh.api.post(f"{DAG}/dagRuns/{fresh.scheduled}/clear", json={"dry_run": False}).raise_for_status()
    fresh.wait(fresh.scheduled)
    return fresh


def test_from_nothing_to_the_known_figures(fresh: Stack, tmp_path: Path) -> None:
    fresh.wait(fresh.trigger(KNOWN, export_cleaned_data=True))
    folder = fresh.copy_checked(KNOWN, tmp_path)
    print(sh(sys.executable, PROJECT / ".ci" / "check_figures.py", folder))
    check_warehouse(fresh)
    check_executors(fresh, folder)
    fresh.check_no_orphan()


def check_warehouse(stack: Stack) -> None:
    """An analyst finds the known figures, and may not change them."""
    figures = runpy.run_path(str(PROJECT / ".ci" / "check_figures.py"))
    by_segment = dict(stack.query("select segment, customers from segment_summary where as_of = %s", KNOWN))
    assert by_segment == figures["SEGMENTS"]
    revenue = "select sum(monetary)::text, count(*) from customer_segments where as_of = %s"
    assert stack.query(revenue, KNOWN) == [("8310477.05", 4338)]
    joined = """
        select count(*) from customer_segments join segment_definitions using (as_of, segment)
        where as_of = %s and exists (select from unnest(codes) code where rfm_score ~ ('^' || code || '$'))
    """
    assert stack.query(joined, KNOWN) == [(4338,)]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        stack.query("delete from customer_segments")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stack.query("select lo_create(0)")


def check_executors(stack: Stack, folder: Path) -> None:
    """The master and the history say that executors on a worker did the work."""
    finished = stack.spark("SPARK_MASTER_PORT", "/json/")["completedapps"]
    stages = json.loads((folder / "run.json").read_text())["stages"]
    ids = {task: stage["application_id"] for task, stage in stages.items()}
    assert set(ids.values()) <= {app["id"] for app in finished if app["state"] == "FINISHED"}
    executors = stack.spark("SPARK_HISTORY_PORT", f"/api/v1/applications/{ids['rfm']}/allexecutors")
    tasks = {executor["id"]: executor["totalTasks"] for executor in executors}
    assert tasks.pop("driver") == 0
    assert sum(tasks.values()) > 0


LISTENING = "0A"  # the state of a socket in /proc/net/tcp
LOOPBACK = "7F"  # how the addresses 127.x.x.x end there
# Asks every port for some paths, from inside of a container.
ASK = """
import json, socket, sys, urllib.error, urllib.request
for host, port in json.loads(sys.argv[1]):
    for path in ("/", "/json/", "/api/v1/applications", "/v1/submissions/status/x", "/log/x", "/health"):
        try:
            print(host, port, path, urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=5).status)
        except urllib.error.HTTPError as error:
            print(host, port, path, error.code)
        except Exception as error:
            print(host, port, path, "closed")
"""


def listening(stack: Stack) -> set[tuple[str, int]]:
    """Every service and port that listens beyond its container."""
    found = set()
    for service in SERVICES:
        sockets = stack.compose("exec", "-T", service, "cat", "/proc/net/tcp", "/proc/net/tcp6")
        for line in sockets.splitlines():
            fields = line.split()
            if len(fields) > 3 and fields[3] == LISTENING:
                address, port = fields[1].split(":")
                if not address.endswith(LOOPBACK):
                    found.add((service, int(port, 16)))
    return found


def test_no_port_answers_another_container_without_credentials(stack: Stack) -> None:
    ports = listening(stack)
    assert {("postgres", 5432), ("spark-master", 7077), ("api-server", 8080)} <= ports
    command = ["exec", "-T", "triggerer", "python", "-c", ASK, json.dumps(sorted(ports))]
    answers = [line.split() for line in stack.compose(*command).splitlines()]
    # Airflow's sign-in page is served to everybody, for every path that is not its API's.
    open_to_all = {
        (host, port, path) for host, port, path, code in answers if code == "200" and host != "api-server"
    }
    assert open_to_all == set()


def test_airflow_s_api_does_not_answer_without_credentials(stack: Stack) -> None:
    assert httpx.get(stack.api.base_url.join("/api/v2/dags")).status_code == 401


@pytest.mark.parametrize("user", ["postgres", "loader", "analyst"])
def test_the_warehouse_does_not_answer_without_credentials(stack: Stack, user: str) -> None:
    address = f"postgresql://{user}:wrong@127.0.0.1:{stack.ports['WAREHOUSE_PORT']}/warehouse"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address)


@pytest.mark.parametrize(
    "name", ["SPARK_AUTH_SECRET", "WAREHOUSE_LOADER_PASSWORD", "POSTGRES_PASSWORD", "ADMIN_PASSWORD"]
)
def test_no_secret_is_written_anywhere(stack: Stack, name: str) -> None:
    secret = stack.env[name]
    logs = stack.compose("logs", "--no-color") if stack.command[0] == "docker" else stack.compose("logs")
    assert secret not in logs
    find = f"grep -rlF -e {secret} /opt/airflow/logs /events /lake 2>/dev/null || true"
    assert stack.compose("exec", "-T", "scheduler", "sh", "-c", find) == ""


@pytest.mark.parametrize("task", ["ingest", "segment"])
def test_a_worker_that_dies_in_the_middle_of_a_job(stack: Stack, tmp_path: Path, task: str) -> None:
    as_of = {"ingest": date(2011, 6, 1), "segment": date(2011, 6, 2)}[task]
    if task == "ingest":  # so that there is something to convert
        stack.compose(
            "exec", "-T", "scheduler", "sh", "-c", "rm -rf /lake/ingested /lake/cleaned /lake/orders"
        )
    run = stack.trigger(as_of)
    stack.until_running(run, task)
    until("on the worker", 120, lambda: stack.spark("SPARK_MASTER_PORT", "/json/")["activeapps"])
    time.sleep(5)
    worker = stack.container("spark-worker")
    sh("docker", "kill", worker)
    time.sleep(10)
    sh("docker", "start", worker)
    stack.wait(run)
    stack.copy_checked(as_of, tmp_path)
    stack.check_no_orphan()


@pytest.mark.parametrize("service", ["scheduler", "api-server"])
def test_a_restart_in_the_middle_of_a_run(stack: Stack, tmp_path: Path, service: str) -> None:
    as_of = {"scheduler": date(2011, 7, 1), "api-server": date(2011, 7, 2)}[service]
    run = stack.trigger(as_of)
    stack.until_running(run, "rfm")
    time.sleep(3)
    stack.compose("restart", service)
    stack.wait(run)
    stack.copy_checked(as_of, tmp_path)
    stack.check_no_orphan()


def test_a_warehouse_that_is_gone_for_20_seconds_during_publish(stack: Stack, tmp_path: Path) -> None:
    as_of = date(2011, 8, 1)
    run = stack.trigger(as_of)
    stack.until_running(run, "publish")
    stack.compose("stop", "warehouse")
    time.sleep(20)
    stack.compose("start", "warehouse")
    stack.wait(run)
    stack.copy_checked(as_of, tmp_path)
    stack.check_no_orphan()


PIPELINE_RUNS: LiteralString = "select as_of, dag_run, customers, loaded_at from pipeline_runs order by as_of"


def test_everything_is_still_there_after_down_and_up(stack: Stack, tmp_path: Path) -> None:
    before = stack.query(PIPELINE_RUNS)
    runs = stack.get(f"{DAG}/dagRuns", limit=100)["total_entries"]
    history = len(stack.spark("SPARK_HISTORY_PORT", "/api/v1/applications"))
    sh("make", "down", cwd=stack.folder)
    stack.up()
    assert stack.query(PIPELINE_RUNS) == before
    assert stack.get(f"{DAG}/dagRuns", limit=100)["total_entries"] == runs
    until("shown", 60, lambda: len(stack.spark("SPARK_HISTORY_PORT", "/api/v1/applications")) == history)
    as_of, newest = before[0][0], before[-1][0]
    assert as_of < newest
    assert stack.query("select distinct as_of from customer_segments_latest") == [(newest,)]
    stack.copy_checked(as_of, tmp_path)
    stack.wait(stack.trigger(as_of))
    stack.copy_checked(as_of, tmp_path / "again")


# -- a backfill ---------------------------------------------------------------------------------

FIRST = date(2011, 11, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(14)]  # logical dates; each is as of the next day
CUSTOMERS: LiteralString = """
    select md5(string_agg(c::text, ';' order by customer_id)) from customer_segments c where as_of = %s
"""
Contents = dict[date, tuple[dict[str, str], list[tuple[Any, ...]]]]


def run_backfill(stack: Stack, at_a_time: int, *, again: bool) -> None:
    body = {
        "dag_id": DAG_ID,
        "from_date": f"{DAYS[0]}T00:00:00Z",
        "to_date": f"{DAYS[-1]}T23:59:59Z",
        "max_active_runs": at_a_time,
        "reprocess_behavior": "completed" if again else "none",
    }
    made = stack.api.post("/api/v2/backfills", json=body).raise_for_status().json()["id"]
    until("done", 7200, lambda: stack.get(f"/api/v2/backfills/{made}")["completed_at"], pause=5)


def contents(stack: Stack, to: Path) -> Contents:
    """By as-of date: the digests of the published files but run.json, and of the warehouse's rows."""
    found = {}
    for day in DAYS:
        as_of = day + timedelta(days=1)
        folder = stack.copy_checked(as_of, to)
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        del files["run.json"]
        found[as_of] = files, stack.query(CUSTOMERS, as_of)
    return found


def test_a_backfill_of_14_days_at_4_at_a_time_equals_one_day_after_the_other(
    stack: Stack, tmp_path: Path
) -> None:
    run_backfill(stack, 4, again=False)
    together = contents(stack, tmp_path / "together")
    run_backfill(stack, 1, again=True)
    assert contents(stack, tmp_path / "one by one") == together
    stack.check_no_orphan()
