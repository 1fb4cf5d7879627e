"""Ways to run the jobs: submitted, as Airflow does, or their mains in one process that lives longer."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from include.lake.paths import Lake
from include.pipeline import ERROR_MARK, EXIT_USER_ERROR, PROJECT, TASKS
from include.settings import Params, config_folder, load_config
from tests.java_options import SHORT_JOB, read_options
from tests.jobs.shop import AS_OF


@dataclass
class Ended:
    """How a job ended: its exit code and its output."""

    code: int
    log: str

    @property
    def last_line(self) -> str:
        return self.log.strip().splitlines()[-1]

    @property
    def refusal(self) -> str:
        """The message of a job that a person has to put right: in one line, the last one."""
        assert self.code == EXIT_USER_ERROR, self.log[-3000:]
        assert self.log.count(ERROR_MARK) == 1, self.log[-3000:]
        assert "Traceback" not in self.log
        assert self.last_line.startswith(ERROR_MARK)
        return self.last_line.removeprefix(ERROR_MARK)


RunJob = Callable[..., Ended]
Snapshot = Callable[..., Path]


def arguments(lake: Path, as_of: str, params: Mapping[str, object] | None, config: Path | None) -> list[str]:
    given = ["--as-of", as_of, "--lake", str(lake), "--params", json.dumps(params or {})]
    return [*given, "--config", str(config)] if config else given


def script(task: str) -> str:
    return str(PROJECT / "spark_jobs" / f"{task}.py")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The Makefile's environment, with all temporary files in pytest's folder."""
    temporary = tmp_path_factory.mktemp("spark tmp")
    short_job = read_options(SHORT_JOB)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == "SPARK_HOME" or not name.startswith(("RFM_", "SPARK_", "PYSPARK_"))
    }
    return kept | {
        "PATH": f"{PROJECT}/.venv/bin{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(temporary),
        "SPARK_CONF_DIR": os.environ.get("SPARK_CONF_DIR", str(PROJECT / "include" / "spark")),
        "SPARK_LOCAL_DIRS": str(temporary),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LAUNCHER_OPTS": short_job,
        "SPARK_SUBMIT_OPTS": (
            f'{os.environ.get("SPARK_SUBMIT_OPTS", short_job)} "-Djava.io.tmpdir={temporary}"'
        ),
        "RFM_WORKING_FOLDER": str(temporary),
    }


@pytest.fixture(scope="session")
def submit(environment: dict[str, str]) -> RunJob:
    """Submit a job's script with the real spark-submit, as Airflow does."""

    def submitted(task: str, given: Sequence[str]) -> Ended:
        done = subprocess.run(
            ["spark-submit", "--master", "local[2]", "--name", f"rfm {task}", script(task), *given],
            env=environment,
            cwd=environment["RFM_WORKING_FOLDER"],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # Airflow reads both as one, too
            text=True,
        )
        return Ended(done.returncode, done.stdout)

    return submitted


@pytest.fixture(scope="session")
def run(environment: dict[str, str]) -> Iterator[RunJob]:
    """Run a job's main in a process that all tests of this folder share."""
    where = environment["RFM_WORKING_FOLDER"]
    env = environment | {
        "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.default.parallelism=1 pyspark-shell"
    }
    with (Path(where) / "driver.log").open("w") as log:
        command = [sys.executable, str(PROJECT / "tests" / "jobs" / "driver.py")]
        driver = subprocess.Popen(
            command, env=env, cwd=where, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )

        def ran(
            task: str,
            lake: Path,
            as_of: str = AS_OF,
            params: Mapping[str, object] | None = None,
            config: Path | None = None,
        ) -> Ended:
            assert driver.stdin and driver.stdout
            request = {"task": task, "arguments": arguments(lake, as_of, params, config)}
            driver.stdin.write(json.dumps(request) + "\n")
            driver.stdin.flush()
            answer = driver.stdout.readline()
            assert answer, (Path(where) / "driver.log").read_text()[-5000:]
            return Ended(**json.loads(answer))

        yield ran
        driver.stdin.close()  # type: ignore[union-attr]
        try:
            driver.wait(timeout=30)
        except subprocess.TimeoutExpired:
            driver.kill()


@pytest.fixture(scope="session")
def snapshot(run: RunJob) -> Snapshot:
    """Run the five jobs, or those from `first` on, for a lake and a date. Returns the published folder."""

    def made(
        lake: Path,
        as_of: str = AS_OF,
        params: Mapping[str, object] | None = None,
        config: Path | None = None,
        first: str = "ingest",
    ) -> Path:
        for task in TASKS[TASKS.index(first) :]:
            ended = run(task, lake, as_of, params, config)
            assert ended.code == 0, ended.log[-5000:]
        loaded = load_config(config or config_folder(), Params.model_validate(params or {}))
        return Lake(lake).published(date.fromisoformat(as_of), loaded.variant)

    return made
