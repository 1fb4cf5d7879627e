"""Airflow for the tests of this folder: a home that is gone afterwards, and no database in it."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Protocol, cast

import pytest

from include.pipeline import CONFIG_VARIABLE, DAG_ID, LAKE_VARIABLE, PROJECT, SPARK_CONNECTION
from tests.tables import csv_bytes, land, line

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context

    from include.orchestration.spark_submit import RfmSparkSubmitOperator

SPARK_CONNECTION_VARIABLE = f"AIRFLOW_CONN_{SPARK_CONNECTION.upper()}"
LOCAL = '{"conn_type": "spark", "host": "local[1]"}'

# Airflow reads its settings when it is imported, so before any fixture.
HOME = Path(tempfile.mkdtemp(prefix="rfm-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
}


class Render(Protocol):
    """A fresh task of the DAG with its arguments rendered for a run, and the run's context."""

    def __call__(
        self, task: str = "ingest", params: Mapping[str, object] | None = None, **run: object
    ) -> "tuple[RfmSparkSubmitOperator, Context]": ...


def parsed_dag() -> "DAG":
    """The DAG as Airflow reads it from its folder, with the configuration of this moment."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(PROJECT / "dags")
    assert bag.import_errors == {}
    return bag.dags[DAG_ID]


@pytest.fixture(scope="session")
def dag() -> "DAG":
    return parsed_dag()


@pytest.fixture
def config_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the configuration in place of the real one, for tests that change it."""
    folder = Path(shutil.copytree(PROJECT / "include" / "config", tmp_path / "config"))
    monkeypatch.setenv(CONFIG_VARIABLE, str(folder))
    return folder


@pytest.fixture
def a_machine_that_can(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything that the operator needs before it submits: a new delivery, a connection, Spark."""
    land(tmp_path / "lake" / "landing", "2010-12-01.csv", csv_bytes(line()))
    monkeypatch.setenv(LAKE_VARIABLE, str(tmp_path / "lake"))
    monkeypatch.setenv(SPARK_CONNECTION_VARIABLE, LOCAL)
    monkeypatch.setenv("PATH", str(PROJECT / ".venv/bin"), prepend=os.pathsep)


def dag_run(**changed: object) -> SimpleNamespace:
    """The run of logical date 2011-12-09, which covers that day."""
    fields = {
        "run_id": "scheduled__2011-12-09T02:00:00+00:00",
        "run_type": "scheduled",
        "logical_date": datetime(2011, 12, 9, 2, tzinfo=UTC),
        "data_interval_end": datetime(2011, 12, 10, 2, tzinfo=UTC),
        "run_after": datetime(2011, 12, 10, 2, tzinfo=UTC),
    }
    return SimpleNamespace(**fields | changed)


class TaskInstance:
    """Keeps the XComs that a task pushes, and has those of the tasks before."""

    def __init__(self, task_id: str = "ingest", try_number: int = 1) -> None:
        self.task_id = task_id
        self.try_number = try_number
        self.xcoms: dict[str, object] = {}
        self.xcoms_of_others: dict[str, dict[str, object]] = {}

    def xcom_push(self, key: str, value: object) -> None:
        self.xcoms[key] = value

    def xcom_pull(self, task_ids: str, key: str) -> object:
        own = self.xcoms if task_ids == self.task_id else {}
        return (self.xcoms_of_others.get(task_ids, {}) | own).get(key)


@pytest.fixture
def render(dag: "DAG") -> Render:
    from airflow.sdk.execution_time.context import OutletEventAccessors

    def rendered(
        task: str = "ingest", params: Mapping[str, object] | None = None, **run: object
    ) -> "tuple[RfmSparkSubmitOperator, Context]":
        all_params = {key: dag.params.get_param(key).value for key in dag.params} | dict(params or {})
        surroundings = {"ti": TaskInstance(), "outlet_events": OutletEventAccessors()}
        context = cast("Context", {"dag_run": dag_run(**run), "params": all_params, **surroundings})
        operator = cast("RfmSparkSubmitOperator", dag.get_task(task).prepare_for_execution())
        operator.render_template_fields(cast("Context", {**context, **(dag.user_defined_macros or {})}))
        return operator, context

    return rendered
