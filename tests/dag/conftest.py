"""Airflow for the tests of this folder: a home of its own, gone afterwards, and no database in it."""

import atexit
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

PROJECT = Path(__file__).resolve().parents[2]
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


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    return HOME


@pytest.fixture(scope="session")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(PROJECT / "dags")
    assert bag.import_errors == {}
    return bag.dags["rfm_segmentation"]


@pytest.fixture
def a_machine_that_can(monkeypatch, tmp_path):
    """What the operator asks of its surroundings before it submits."""
    monkeypatch.setenv("RFM_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", LOCAL)
    monkeypatch.setenv("PATH", str(PROJECT / ".venv/bin"), prepend=os.pathsep)


def dag_run(**changed):
    """The run of logical date 2011-12-09, which covers that day."""
    fields = {
        "run_id": "scheduled__2011-12-09T02:00:00+00:00",
        "run_type": "scheduled",
        "logical_date": datetime(2011, 12, 9, 2, tzinfo=UTC),
        "data_interval_end": datetime(2011, 12, 10, 2, tzinfo=UTC),
        "run_after": datetime(2011, 12, 10, 2, tzinfo=UTC),
    }
    return SimpleNamespace(**fields | changed)


@pytest.fixture
def render(dag):
    """A fresh task of the DAG with its arguments rendered for a run, and the run's context."""

    def rendered(task="ingest", params=None, **run):
        all_params = {key: param.value for key, param in dag.params.items()} | (params or {})
        context = {"dag_run": dag_run(**run), "params": all_params}
        operator = dag.get_task(task).prepare_for_execution()
        operator.render_template_fields({**context, **dag.user_defined_macros})
        return operator, context

    return rendered
