"""docker-compose.yaml for real: a copy of the project, brought up from nothing on ports of its own.

It takes Docker, 8 GiB and minutes, so it runs only where RFM_COMPOSE is set. The cases build on each
other's stack, in any order: each takes dates of its own.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

PROJECT = Path(__file__).resolve().parents[2]
STAND_INS = PROJECT.parent / "shared" / "ci"  # makes the base images where no registry can be had
KNOWN = date(2011, 12, 10)
DAG = "/api/v2/dags/rfm_segmentation"
SERVICES = {"postgres", "warehouse", "api-server", "scheduler", "dag-processor", "triggerer",
            "spark-master", "spark-worker", "spark-history"}  # fmt: skip


def sh(*command, **options):
    done = subprocess.run(command, text=True, capture_output=True, **options)
    assert done.returncode == 0, (
        f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
    )
    return done.stdout


def until(what, seconds, wanted, pause=1.0):
    """Wait until wanted() is true; returns what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < deadline, f"not {what} after {seconds} s"
        time.sleep(pause)
    return found


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Stack:
    def __init__(self, folder):
        self.folder = folder
        ports = ["AIRFLOW_PORT", "WAREHOUSE_PORT", "SPARK_MASTER_PORT", "SPARK_HISTORY_PORT"]
        self.ports = {name: free_port() for name in ports}
        settings = {"COMPOSE_PROJECT_NAME": "rfm-e2e", "RFM_IMAGE": "rfm-segmentation:e2e"} | self.ports
        (folder / ".env").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        new = sh("bash", "-c", ". include/compose/command; echo ${compose[@]}", cwd=folder)
        self.command = new.split()

    def up(self):
        said = sh("make", "up", cwd=self.folder)
        lines = (self.folder / ".env").read_text().splitlines()
        self.env = dict(line.split("=", 1) for line in lines)
        self.sign_in()
        return said

    def sign_in(self):
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{self.ports['AIRFLOW_PORT']}", timeout=30)
        user = {"username": "admin", "password": self.env["ADMIN_PASSWORD"]}
        token = self.api.post("/auth/token", json=user).raise_for_status().json()["access_token"]
        self.api.headers["Authorization"] = f"Bearer {token}"

    def compose(self, *arguments, **options):
        return sh(*self.command, *arguments, cwd=self.folder, **options)

    def container(self, service):
        return self.compose("ps", "-q", service).split()[0]

    def get(self, path, **params):
        return self.api.get(path, params=params).raise_for_status().json()

    def trigger(self, as_of, **conf):
        body = {"logical_date": None, "conf": {"as_of": as_of.isoformat()} | conf}
        return self.api.post(f"{DAG}/dagRuns", json=body).raise_for_status().json()["dag_run_id"]

    def states(self, run):
        found = self.get(f"{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def until_running(self, run, task, seconds=900):
        until(f"running {task}", seconds, lambda: self.states(run)[task] in ("running", "success"))
        assert self.states(run)[task] == "running"

    def wait(self, run, seconds=1500):
        def ended():
            try:
                state = self.get(f"{DAG}/dagRuns/{run}")["state"]
            except httpx.HTTPError:  # the api-server may be starting again
                return None
            return state if state in ("success", "failed") else None

        state = until(f"the end of {run}", seconds, ended, pause=3)
        assert state == "success", self.states(run)

    def spark(self, port, path):
        user = ("spark", self.env["SPARK_UI_PASSWORD"])
        return httpx.get(f"http://127.0.0.1:{self.ports[port]}{path}", auth=user).raise_for_status().json()

    def query(self, text, *values, user="analyst"):
        password = self.env[f"WAREHOUSE_{user.upper()}_PASSWORD"]
        address = f"postgresql://{user}:{password}@127.0.0.1:{self.ports['WAREHOUSE_PORT']}/warehouse"
        with psycopg.connect(address) as connection:
            return connection.execute(text, values).fetchall()

    def published(self, as_of, to):
        """A copy of the published folder, out of the lake's volume."""
        folder = to / as_of.isoformat()
        folder.mkdir(parents=True)
        path = f"{self.container('scheduler')}:/lake/published/as_of={as_of}/."
        sh("docker", "cp", "-L", path.removesuffix("/."), folder)
        return next(folder.iterdir())

    def no_orphan(self):
        """Nothing is left of what was interrupted: no driver, no application, no session, no attempt."""
        until("idle", 120, lambda: not self.spark("SPARK_MASTER_PORT", "/json/")["activeapps"])
        drivers = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '[s]park_jobs/' || true"
        assert self.compose("exec", "-T", "scheduler", "sh", "-c", drivers).strip() == "0"
        attempts = "ls /lake/.attempts 2>/dev/null | wc -l"
        assert self.compose("exec", "-T", "scheduler", "sh", "-c", attempts).strip() == "0"
        others = "select count(*) from pg_stat_activity where application_name = 'rfm publish'"
        assert self.query(others) == [(0,)]

    def right(self, as_of, to):
        """Files and warehouse hold the same snapshot."""
        folder = self.published(as_of, to)
        record = json.loads((folder / "run.json").read_text())
        found = self.query(
            "select r.dag_run, r.customers, count(*) from pipeline_runs r"
            " join customer_segments using (as_of) where as_of = %s group by r.dag_run, r.customers",
            as_of,
        )
        n = record["stages"]["publish"]["rows_out"]
        assert found == [(record["dag_run"], n, n)]
        return folder


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, real_data):
    """Brought up from nothing, with the real data landed. The schedule's own run, over the interval
    that has just ended, is stopped: the first case takes one run only."""
    if not os.environ.get("RFM_COMPOSE"):
        pytest.skip("starts the whole system in Docker; set RFM_COMPOSE=1 to do so")
    stand_ins = STAND_INS.is_dir() and os.geteuid() == 0
    if stand_ins:
        sh(str(STAND_INS / "start-docker"))
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no Docker here")
    if stand_ins:
        sh(str(STAND_INS / "make-base-image"))
        sh(str(STAND_INS / "make-postgres-image"))
    folder = tmp_path_factory.mktemp("compose") / "rfm"
    for name in sh("git", "ls-files", "-co", "--exclude-standard", cwd=PROJECT).splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (PROJECT / name).is_file():
            shutil.copy(PROJECT / name, folder / name)
    started = Stack(folder)
    try:
        said = started.up()
        assert started.env["ADMIN_PASSWORD"] in said
        assert started.env["ADMIN_PASSWORD"] not in started.up()  # it is shown once
        sh("make", "land", f"DATA={real_data.resolve()}", cwd=folder)
        started.api.patch(DAG, json={"is_paused": False}).raise_for_status()
        runs = until("scheduled", 120, lambda: started.get(f"{DAG}/dagRuns")["dag_runs"])
        started.scheduled = f"{DAG}/dagRuns/{runs[0]['dag_run_id']}"
        started.api.patch(started.scheduled, json={"state": "failed"}).raise_for_status()
        yield started
    finally:
        started.compose("down", "--volumes", "--remove-orphans")


@pytest.fixture(scope="module")
def stack(fresh):
    """The schedule's own run has been made up for, and all is at rest."""
    fresh.api.post(f"{fresh.scheduled}/clear", json={"dry_run": False}).raise_for_status()
    fresh.wait(fresh.scheduled.rpartition("/")[2])
    return fresh


def test_from_nothing_to_the_known_figures(fresh, tmp_path):
    run = fresh.trigger(KNOWN, export_cleaned_data=True)
    fresh.wait(run)
    folder = fresh.right(KNOWN, tmp_path)
    print(sh(sys.executable, str(PROJECT / ".ci" / "check_figures.py"), str(folder)))

    by_segment = dict(fresh.query("select segment, customers from segment_summary where as_of = %s", KNOWN))
    sys.path.insert(0, str(PROJECT / ".ci"))
    from check_figures import SEGMENTS

    assert by_segment == SEGMENTS
    revenue = "select sum(monetary)::text, count(*) from customer_segments where as_of = %s"
    assert fresh.query(revenue, KNOWN) == [("8310477.05", 4338)]
    joined = """
        select count(*) from customer_segments join segment_definitions using (as_of, segment)
        where as_of = %s and exists (select from unnest(codes) code where rfm_score ~ ('^' || code || '$'))
    """
    assert fresh.query(joined, KNOWN) == [(4338,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        fresh.query("delete from customer_segments")

    # The work was done by executors on a worker: the master and the history say so.
    finished = fresh.spark("SPARK_MASTER_PORT", "/json/")["completedapps"]
    stages = json.loads((folder / "run.json").read_text())["stages"]
    ids = {task: stage["application_id"] for task, stage in stages.items()}
    assert set(ids.values()) <= {app["id"] for app in finished if app["state"] == "FINISHED"}
    executors = fresh.spark("SPARK_HISTORY_PORT", f"/api/v1/applications/{ids['rfm']}/allexecutors")
    tasks = {executor["id"]: executor["totalTasks"] for executor in executors}
    assert tasks.pop("driver") == 0
    assert sum(tasks.values()) > 0
    fresh.no_orphan()


def test_nothing_answers_without_credentials(stack):
    """Every port that listens beyond its container, asked from a container beside it."""
    listening = []
    for service in SERVICES:
        sockets = stack.compose("exec", "-T", service, "cat", "/proc/net/tcp", "/proc/net/tcp6")
        for line in sockets.splitlines():
            fields = line.split()
            if len(fields) > 3 and fields[3] == "0A":
                address, port = fields[1].split(":")
                if not address.endswith("7F") and address != "0B00007F":  # loopback, Docker's name server
                    listening.append((service, int(port, 16)))
    assert {("postgres", 5432), ("spark-master", 7077), ("api-server", 8080)} <= set(listening)
    asked = """
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
    command = ["exec", "-T", "triggerer", "python", "-c", asked, json.dumps(sorted(set(listening)))]
    answers = [line.split() for line in stack.compose(*command).splitlines()]
    # Airflow's sign-in page is served to everybody, for every path that is not its API's.
    open_to_all = {
        (host, port, path) for host, port, path, code in answers if code == "200" and host != "api-server"
    }
    assert open_to_all == set()
    without = httpx.get(stack.api.base_url.join("/api/v2/dags"))
    assert without.status_code == 401
    for user in ("postgres", "loader", "analyst"):
        address = f"postgresql://{user}:wrong@127.0.0.1:{stack.ports['WAREHOUSE_PORT']}/warehouse"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(address)


def test_no_secret_is_written_anywhere(stack):
    names = ["SPARK_AUTH_SECRET", "WAREHOUSE_LOADER_PASSWORD", "POSTGRES_PASSWORD", "ADMIN_PASSWORD"]
    secrets = [stack.env[name] for name in names]
    logs = stack.compose("logs", "--no-color") if stack.command[0] == "docker" else stack.compose("logs")
    find = "grep -rlF -e {} /opt/airflow/logs /events /lake 2>/dev/null || true"
    for secret in secrets:
        assert secret not in logs
        assert stack.compose("exec", "-T", "scheduler", "sh", "-c", find.format(secret)) == ""


@pytest.mark.parametrize("task", ["ingest", "segment"])
def test_a_worker_that_dies_in_the_middle_of_a_job(stack, tmp_path, task):
    as_of = {"ingest": date(2011, 6, 1), "segment": date(2011, 6, 2)}[task]
    if task == "ingest":  # everything is to be converted anew
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
    stack.right(as_of, tmp_path)
    stack.no_orphan()


@pytest.mark.parametrize("service", ["scheduler", "api-server"])
def test_a_restart_in_the_middle_of_a_run(stack, tmp_path, service):
    as_of = {"scheduler": date(2011, 7, 1), "api-server": date(2011, 7, 2)}[service]
    run = stack.trigger(as_of)
    stack.until_running(run, "rfm")
    time.sleep(3)
    stack.compose("restart", service)
    stack.wait(run)
    stack.right(as_of, tmp_path)
    stack.no_orphan()


def test_a_warehouse_that_is_gone_for_20_seconds_during_publish(stack, tmp_path):
    as_of = date(2011, 8, 1)
    run = stack.trigger(as_of)
    stack.until_running(run, "publish")
    stack.compose("stop", "warehouse")
    time.sleep(20)
    stack.compose("start", "warehouse")
    stack.wait(run)
    stack.right(as_of, tmp_path)
    stack.no_orphan()


def test_everything_is_still_there_after_down_and_up(stack, tmp_path):
    before = stack.query("select as_of, dag_run, customers, loaded_at from pipeline_runs order by as_of")
    runs = stack.get(f"{DAG}/dagRuns", limit=100)["total_entries"]
    history = len(stack.spark("SPARK_HISTORY_PORT", "/api/v1/applications"))
    sh("make", "down", cwd=stack.folder)
    stack.up()
    assert (
        stack.query("select as_of, dag_run, customers, loaded_at from pipeline_runs order by as_of") == before
    )
    assert stack.get(f"{DAG}/dagRuns", limit=100)["total_entries"] == runs
    until("shown", 60, lambda: len(stack.spark("SPARK_HISTORY_PORT", "/api/v1/applications")) == history)
    as_of, newest = before[0][0], before[-1][0]
    assert as_of < newest
    assert stack.query("select distinct as_of from customer_segments_latest") == [(newest,)]
    stack.right(as_of, tmp_path)
    stack.wait(stack.trigger(as_of))
    stack.right(as_of, tmp_path / "again")


def test_a_backfill_of_14_days_at_4_at_a_time_equals_one_day_after_the_other(stack, tmp_path):
    first = date(2011, 11, 1)
    days = [first + timedelta(days=n) for n in range(14)]  # of logical dates; each is as of the next day

    def backfill(at_a_time, again):
        body = {
            "dag_id": "rfm_segmentation",
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{days[-1]}T23:59:59Z",
            "max_active_runs": at_a_time,
            "reprocess_behavior": "completed" if again else "none",
        }
        made = stack.api.post("/api/v2/backfills", json=body).raise_for_status().json()["id"]
        until("done", 7200, lambda: stack.get(f"/api/v2/backfills/{made}")["completed_at"], pause=5)
        return contents()

    def contents():
        """Of each snapshot the files without run.json, and the warehouse's rows."""
        found = {}
        for day in days:
            as_of = day + timedelta(days=1)
            folder = stack.right(as_of, tmp_path / f"{time.monotonic()}")
            files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
            del files["run.json"]
            rows = "select md5(string_agg(c::text, ';' order by customer_id)) from customer_segments c"
            found[as_of] = files, stack.query(f"{rows} where as_of = %s", as_of)
        return found

    together = backfill(4, again=False)
    assert len(together) == 14
    assert backfill(1, again=True) == together
    stack.no_orphan()
