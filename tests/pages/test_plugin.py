"""The plugin file: what it registers, where, and what it costs a task process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.pipeline import PROJECT, TASKS

# As Airflow does it: the file is loaded under its bare name.
LOAD_PLUGIN = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("customer_segments", "plugins/customer_segments.py")
module = importlib.util.module_from_spec(spec)
before = set(sys.modules)
spec.loader.exec_module(module)
plugin = module.CustomerSegmentsPlugin
"""
IN_A_TASK_PROCESS = "import airflow.plugins_manager, airflow.sdk.execution_time.task_runner"


def run_python(script: str, home: Path) -> str:
    """The last line that a script prints in a process of its own."""
    env = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_a_task_process_loads_no_pages_because_of_the_plugin(tmp_path: Path) -> None:
    script = f"""
{IN_A_TASK_PROCESS}
import airflow.providers.apache.spark.operators.spark_submit  # the task's own operator
{LOAD_PLUGIN}
added = sorted(set(sys.modules) - before)
print(json.dumps([added, "include.pages" in sys.modules, plugin.fastapi_apps]))
"""
    added, has_pages, apps = json.loads(run_python(script, tmp_path))
    assert (has_pages, apps) == (False, [])
    assert "include.orchestration.links" in added  # so the list does show what the plugin imports
    unwanted = {"fastapi", "starlette", "jinja2", "pyspark", "pandas", "pyarrow", "psycopg"}
    assert not unwanted & {name.partition(".")[0] for name in added}


def test_airflow_loads_the_plugin_without_an_error(tmp_path: Path) -> None:
    script = """
import json
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
links = {plugin.name: [link.name for link in plugin.operator_extra_links] for plugin in plugins}
print(json.dumps([links, errors]))
"""
    links, errors = json.loads(run_python(script, tmp_path))
    assert links["customer_segments"] == ["Published snapshot", "Report", "Spark history"]
    assert errors == {}


def test_airflow_shows_the_pages_in_its_navigation_and_beside_the_dag(tmp_path: Path) -> None:
    script = """
import json
from airflow import plugins_manager
from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse
views, _ = plugins_manager._get_ui_plugins()
ours = [ExternalViewResponse(**view) for view in views if view["name"] == "Customer segments"]
print(json.dumps([[view.destination, view.href, view.url_route] for view in ours]))
"""
    assert json.loads(run_python(script, tmp_path)) == [
        ["nav", "rfm/", "customer-segments"],
        ["dag", "rfm/", "customer-segments-tab"],
    ]


def test_the_api_server_mounts_the_pages(tmp_path: Path) -> None:
    script = f"""
import airflow.api_fastapi.app as server
{LOAD_PLUGIN}
from airflow import plugins_manager
from fastapi import FastAPI
from fastapi.testclient import TestClient
(registered,) = plugin.fastapi_apps
root = FastAPI()
server.init_plugins(root)
answer = TestClient(root).get("/rfm/snapshots/2011-12-10/")
print(json.dumps([registered["url_prefix"], registered["name"], answer.status_code]))
"""
    assert json.loads(run_python(script, tmp_path)) == ["/rfm", "Customer segments", 401]


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({}, "/snapshots/2011-12-10/"),
        ({"segment_map": "rf10"}, "/snapshots/variants/segment_map=rf10/2011-12-10/"),
        ({"segment_map": "rfm11"}, "/snapshots/2011-12-10/"),
        (
            {"segment_map": "rf10", "lookback_days": 90, "cancellations": "drop", "duplicates": "drop"},
            "/snapshots/variants/cancellations=drop,duplicates=drop,lookback_days=90,segment_map=rf10"
            "/2011-12-10/",
        ),
    ],
)
def test_a_task_links_to_the_page_of_the_snapshot_it_publishes(params: dict[str, object], path: str) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
    from starlette.routing import Match

    from include.pages.app import app
    from include.pipeline import PAGES_PREFIX

    dag = DagBag(PROJECT / "dags").dags["rfm_segmentation"]
    for task in TASKS:
        operator = dag.get_task(task)
        assert isinstance(operator, SparkSubmitOperator)
        link, report, _ = operator.operator_extra_links
        operator.application_args = ["--as-of", "2011-12-10", "--params", json.dumps(params)]
        assert link.get_link(operator, ti_key=None) == f"{PAGES_PREFIX}{path}"  # type: ignore[arg-type]
        assert report.get_link(operator, ti_key=None) == f"{PAGES_PREFIX}{path}report.html"  # type: ignore[arg-type]
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    matches = [route for route in app.routes if route.matches(scope)[0] is Match.FULL]
    assert [route.name for route in matches] == ["variant_page" if "variants" in path else "page"]  # type: ignore[attr-defined]
