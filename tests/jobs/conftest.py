"""Ways to run the jobs: really submitted, or their mains in one long-lived process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TASKS = ["ingest", "clean", "rfm", "segment", "publish"]


@dataclass
class Ended:
    """How a job ended: its exit code and what it printed."""

    code: int
    log: str

    @property
    def last_line(self) -> str:
        return self.log.strip().splitlines()[-1]

    @property
    def refusal(self) -> str:
        """What a refused job said: exit code 2, and one line for a person at the very end."""
        assert self.code == 2, self.log[-3000:]
        assert self.log.count("rfm error: ") == 1, self.log[-3000:]
        assert "Traceback" not in self.log
        assert self.last_line.startswith("rfm error: ")
        return self.last_line.removeprefix("rfm error: ")


RunJob = Callable[..., Ended]


def arguments(lake: Path, as_of: str, params: Mapping[str, Any] | None, config: Path | None) -> list[str]:
    given = ["--as-of", as_of, "--lake", str(lake), "--params", json.dumps(params or {})]
    return [*given, "--config", str(config)] if config else given


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """That of the Makefile, with all temporary files in pytest's own folder."""
    temporary = tmp_path_factory.mktemp("spark tmp")
    quick = "-XX:-UsePerfData -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    options = f'{os.environ.get("SPARK_SUBMIT_OPTS", quick)} "-Djava.io.tmpdir={temporary}"'
    kept = {
        k: v
        for k, v in os.environ.items()
        if k == "SPARK_HOME" or not k.startswith(("RFM_", "SPARK_", "PYSPARK_"))
    }
    return kept | {
        "PATH": f"{PROJECT}/.venv/bin{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(temporary),
        "SPARK_CONF_DIR": os.environ.get("SPARK_CONF_DIR", str(PROJECT / "include" / "spark")),
        "SPARK_LOCAL_DIRS": str(temporary),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LAUNCHER_OPTS": quick,
        "SPARK_SUBMIT_OPTS": options,
        "RFM_WORKING_FOLDER": str(temporary),
    }


@pytest.fixture(scope="session")
def submit(environment: dict[str, str]) -> RunJob:
    """Submit a job's script with the real spark-submit, as Airflow does."""

    def submitted(task: str, given: Sequence[str]) -> Ended:
        script = PROJECT / "spark_jobs" / f"{task}.py"
        command = ["spark-submit", "--master", "local[2]", "--name", f"rfm {task}", str(script), *given]
        where = environment["RFM_WORKING_FOLDER"]
        # The output of a Python driver reaches spark-submit's stdout; Airflow reads both as one, too.
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, env=environment, cwd=where, check=False, **streams)
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
            as_of: str = "2011-02-10",
            params: Mapping[str, Any] | None = None,
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
def snapshot(run: RunJob) -> Callable[..., Path]:
    """Run the five jobs, or those from one on, for a lake and a date; returns what was published."""
    from include.lake.commit import Lake
    from include.settings import Params, config_folder, load_config

    def made(
        lake: Path,
        as_of: str = "2011-02-10",
        params: Mapping[str, Any] | None = None,
        config: Path | None = None,
        first: str = "ingest",
    ) -> Path:
        for task in TASKS[TASKS.index(first) :]:
            ended = run(task, lake, as_of, params, config)
            assert ended.code == 0, ended.log[-5000:]
        from datetime import date

        loaded = load_config(config or config_folder(), Params.model_validate(params or {}))
        return Lake(lake).published(date.fromisoformat(as_of), loaded.variant)

    return made
