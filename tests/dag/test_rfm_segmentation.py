"""The DAG as Airflow sees it, without a database; and the rules of the house for all code."""

import ast
import copy
import importlib.util
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import ParamValidationError

PROJECT = Path(__file__).resolve().parents[2]
TASKS = ["ingest", "clean", "rfm", "segment", "publish"]
LONDON = ZoneInfo("Europe/London")

# -- the DAG ------------------------------------------------------------------------------------


def test_the_dag_file_imports_in_under_a_second_and_without_a_database(tmp_path):
    script = """
import time, airflow.sdk, airflow.providers.apache.spark.operators.spark_submit
from airflow.dag_processing.dagbag import DagBag
start = time.monotonic()
bag = DagBag("dags")
print("seconds", time.monotonic() - start, "errors", len(bag.import_errors), "dags", *bag.dags)
"""
    env = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for name in ("RFM_LAKE", "AIRFLOW_CONN_SPARK_DEFAULT", "RFM_CONFIG"):
        env.pop(name, None)
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=True)
    words = done.stdout.split("seconds")[-1].split()
    assert words[1:] == ["errors", "0", "dags", "rfm_segmentation"], done.stdout
    assert float(words[0]) < 1
    assert not (tmp_path / "airflow.db").exists()


def test_five_spark_tasks_run_in_a_row(dag):
    assert sorted(dag.task_ids) == sorted(TASKS)
    for task, after in zip(TASKS, [*TASKS[1:], None], strict=True):
        operator = dag.get_task(task)
        assert isinstance(operator, SparkSubmitOperator)
        assert operator.downstream_task_ids == ({after} if after else set())
        assert operator._conn_id == "spark_default"
        assert Path(operator.application) == PROJECT / "spark_jobs" / f"{task}.py"
        assert Path(operator.application).is_file()


def test_every_task_is_tried_again_and_ends_in_time(dag):
    for operator in dag.tasks:
        assert operator.retries >= 1
        assert timedelta(0) < operator.execution_timeout <= timedelta(hours=12)
        assert operator.on_failure_callback


def test_the_delay_before_another_try_grows_to_ten_minutes(dag):
    """As the scheduler works it out; each clearing of a task adds a try."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.serialization.serialized_objects import DagSerialization

    task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("ingest")
    failed = datetime(2011, 12, 10, 2, tzinfo=UTC)
    fields = {"dag_id": dag.dag_id, "task_id": "ingest", "logical_date": None, "retry_delay_override": None}

    def minutes(tries):
        instance = SimpleNamespace(task=task, try_number=tries, end_date=failed, **fields)
        return (TaskInstance.next_retry_datetime(instance) - failed) / timedelta(minutes=1)

    assert 1 <= minutes(1) < 2 <= minutes(2) < 4 <= minutes(3) < 8
    assert minutes(4) <= minutes(20) == 10


def test_the_dag_runs_daily_without_catching_up_and_says_what_it_is(dag):
    assert dag.catchup is False
    assert dag.tags
    assert len(dag.doc_md) > 200
    assert all(f"`{task}`" in dag.doc_md for task in TASKS)


def test_no_run_waits_for_the_one_before(dag):
    """snapshot(D) depends on nothing but the landed files, so backwards backfills are allowed."""
    assert not any(operator.depends_on_past or operator.wait_for_downstream for operator in dag.tasks)


def test_the_run_of_a_logical_date_covers_that_day(dag):
    """In Airflow's own words: from 02:00 of the day to 02:00 of the next, in the pipeline's zone."""
    from airflow.serialization.serialized_objects import DagSerialization

    timetable = DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable
    for day in (date(2011, 3, 26), date(2011, 3, 27), date(2011, 10, 29), date(2011, 12, 9)):
        after = datetime(day.year, day.month, day.day, 12, tzinfo=LONDON) + timedelta(days=1)
        interval = timetable.infer_manual_data_interval(run_after=after)
        end = interval.end.astimezone(LONDON)
        assert (interval.start.astimezone(LONDON).date(), end.date()) == (day, day + timedelta(days=1))
        assert (end.hour, end.minute) in ((2, 0), (3, 0))  # 3: there is no 2 o'clock that day


# -- params -------------------------------------------------------------------------------------


def resolved(dag, name, value):
    """What a run would get for the value; of a copy, because a Param keeps what it resolves."""
    return copy.deepcopy(dag.params.get_param(name)).resolve(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lookback_days", 0),
        ("lookback_days", -1),
        ("lookback_days", "ninety"),
        ("lookback_days", 1.5),
        ("cancellations", "x"),
        ("cancellations", ""),
        ("duplicates", "maybe"),
        ("segment_map", "../secrets"),
        ("segment_map", ""),
        ("as_of", "10.12.2011"),
        ("as_of", "2011-02-30"),
        ("as_of", 20111210),
        ("export_cleaned_data", "yes"),
    ],
)
def test_a_wrong_param_is_refused_by_the_form(dag, name, value):
    with pytest.raises(ParamValidationError):
        resolved(dag, name, value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("lookback_days", [None, 1, 365]),
        ("cancellations", [None, "net", "drop"]),
        ("duplicates", [None, "keep", "drop"]),
        ("segment_map", [None, "rfm11", "rf10", "my-own_map"]),
        ("as_of", [None, "2011-12-10"]),
        ("export_cleaned_data", [True, False]),
    ],
)
def test_right_params_and_null_are_accepted(dag, name, values):
    assert [resolved(dag, name, value) for value in values] == values


def test_every_param_explains_itself_and_has_a_default_that_changes_nothing(dag):
    from include.settings import Params

    assert set(dag.params) == set(Params.model_fields)
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema.get("title"), name
        assert param.description, name
        assert not param.value, name
    dag.params.validate()


# -- rendering ----------------------------------------------------------------------------------


def arguments(operator):
    return dict(zip(operator.application_args[::2], operator.application_args[1::2], strict=True))


@pytest.mark.parametrize(
    ("ends", "as_of"),
    [
        (datetime(2011, 12, 10, 2, tzinfo=LONDON), "2011-12-10"),
        (datetime(2011, 3, 27, 2, tzinfo=LONDON), "2011-03-27"),  # the clock goes forward at 01:00
        (datetime(2011, 3, 28, 1, tzinfo=UTC), "2011-03-28"),
        (datetime(2011, 7, 1, 1, tzinfo=UTC), "2011-07-01"),  # 02:00 in London
        (datetime(2011, 6, 30, 23, 30, tzinfo=UTC), "2011-07-01"),  # 00:30 in London
        (datetime(2011, 10, 30, 2, tzinfo=LONDON), "2011-10-30"),  # the clock goes back at 02:00
        (datetime(2011, 10, 31, 2, tzinfo=UTC), "2011-10-31"),
    ],
)
def test_a_scheduled_run_is_as_of_the_local_date_its_interval_ends(render, ends, as_of):
    operator, _ = render(data_interval_end=ends.astimezone(UTC))
    assert arguments(operator)["--as-of"] == as_of


def test_a_manual_run_without_a_logical_date_is_as_of_the_day_it_starts(render):
    started = datetime(2011, 6, 30, 23, 30, tzinfo=UTC)
    operator, _ = render(
        run_id="manual__x", run_type="manual", logical_date=None, data_interval_end=None, run_after=started
    )
    assert arguments(operator)["--as-of"] == "2011-07-01"
    assert arguments(operator)["--dag-run"] == "manual__x"


@pytest.mark.parametrize("task", TASKS)
def test_the_as_of_param_wins_and_all_params_reach_every_job(render, task):
    params = {"as_of": "2011-07-01", "segment_map": "rf10", "lookback_days": 90}
    operator, context = render(task, params)
    given = arguments(operator)
    assert given["--as-of"] == "2011-07-01"
    assert json.loads(given["--params"]) == context["params"]
    assert all(isinstance(text, str) for text in operator.application_args)


def test_the_time_zone_is_the_configured_one(render, monkeypatch, tmp_path):
    config = (PROJECT / "include/config/segmentation.yaml").read_text()
    (tmp_path / "segment_maps").mkdir()
    (tmp_path / "segment_maps/rfm11.yaml").write_bytes(
        (PROJECT / "include/config/segment_maps/rfm11.yaml").read_bytes()
    )
    (tmp_path / "segmentation.yaml").write_text(config.replace("Europe/London", "Asia/Tokyo"))
    monkeypatch.setenv("RFM_CONFIG", str(tmp_path))
    operator, _ = render(data_interval_end=datetime(2011, 12, 9, 17, tzinfo=UTC))
    assert arguments(operator)["--as-of"] == "2011-12-10"


@pytest.mark.parametrize(
    ("connection", "master"),
    [
        ('{"conn_type": "spark", "host": "local[*]"}', "local[*]"),
        ("spark://host:7077", "spark://host:7077"),
        ('{"conn_type": "spark", "host": "spark://host:7077"}', "spark://host:7077"),
        ('{"conn_type": "spark", "host": "spark://host", "port": 7077}', "spark://host:7077"),
    ],
)
def test_the_connection_alone_says_where_the_job_runs(render, monkeypatch, connection, master):
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", connection)
    operator, _ = render("rfm")
    hook = operator._get_hook()
    assert hook._build_spark_submit_command(operator.application) == [
        "spark-submit",
        *["--master", master],
        *["--name", "rfm rfm"],
        str(PROJECT / "spark_jobs/rfm.py"),
        *operator.application_args,
    ]
    assert hook._env["PYTHONPATH"] == str(PROJECT)


def test_the_job_finds_the_project_s_modules(render):
    operator, _ = render()
    assert operator.env_vars["PYTHONPATH"] == str(PROJECT)


# -- the plugin ---------------------------------------------------------------------------------


@pytest.fixture
def plugin():
    spec = importlib.util.spec_from_file_location(
        "customer_segments", PROJECT / "plugins/customer_segments.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_plugin_loads_and_brings_no_web_application_into_a_task_process(plugin):
    from airflow.plugins_manager import AirflowPlugin

    assert issubclass(plugin.CustomerSegmentsPlugin, AirflowPlugin)
    assert plugin.CustomerSegmentsPlugin.name == "customer_segments"
    assert plugin.CustomerSegmentsPlugin.operator_extra_links
    if "airflow.api_fastapi.app" not in sys.modules:
        assert plugin.CustomerSegmentsPlugin.fastapi_apps == []


def test_a_task_links_to_the_snapshot_it_publishes(render):
    (link,) = render()[0].operator_extra_links
    operator, _ = render(params={"as_of": "2011-12-10"})
    assert link.get_link(operator, ti_key=None) == "/rfm/snapshots/2011-12-10/"
    operator, _ = render(params={"as_of": "2011-12-10", "segment_map": "rf10"})
    assert link.get_link(operator, ti_key=None) == "/rfm/snapshots/variants/segment_map=rf10/2011-12-10/"
    operator, _ = render(params={"as_of": "2011-12-10", "segment_map": "rfm11"})
    assert link.get_link(operator, ti_key=None) == "/rfm/snapshots/2011-12-10/"


def test_every_page_of_the_plugin_asks_who_is_looking(plugin):
    from fastapi.testclient import TestClient

    app = plugin.snapshot_app()
    browser = TestClient(app, raise_server_exceptions=False)
    paths = {route.path for route in app.routes}
    assert len(paths) >= 4
    for path in paths | {"/docs", "/redoc", "/openapi.json"}:
        there = path.replace("{as_of}", "2011-12-10").replace("{variant}", "segment_map=rf10")
        answer = browser.get(there.replace("{name}", "rfm_df.csv"))
        assert answer.status_code == (401 if path in paths else 404), path


def test_text_of_a_snapshot_s_page_is_escaped(plugin, tmp_path):
    record = {"as_of": "2011-12-10", "published_at": "now", "dag_run": "<script>1</script>", "variant": None}
    (tmp_path / "run.json").write_text(json.dumps(record))
    (tmp_path / "segment_summary.csv").write_text("segment,customers\r\n<b>Champions</b>,3\r\n")
    page = plugin.snapshot_page(tmp_path)
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "<td>&lt;b&gt;Champions&lt;/b&gt;</td><td>3</td>" in page


# -- the rules of the house ---------------------------------------------------------------------

FOLDERS = ("dags", "spark_jobs", "plugins", "include")
FILES = [path for folder in FOLDERS for path in sorted((PROJECT / folder).rglob("*.py"))]


def imported(tree):
    """The first names of all modules that a file imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else node.module.split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_code_depends_on_include_and_include_on_none_of_it(path):
    found = set(imported(ast.parse(path.read_text())))
    neighbours = {file.stem for file in path.parent.glob("*.py")} - {"__init__"}
    assert not found & {"dags", "spark_jobs", "plugins", "tests", "."}
    if path.parent.name != "include":
        assert not found & (neighbours - {"rfm_segmentation"}), "jobs, DAGs and plugins import no other"


def test_spark_stays_out_of_what_airflow_imports():
    """A DAG file is parsed every half minute, and a task process loads every plugin."""
    seen, waiting = set(), [*(PROJECT / "dags").glob("*.py"), *(PROJECT / "plugins").glob("*.py")]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for node in ast.parse(path.read_text()).body:  # at import: only the file's own level
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "pyspark" not in set(imported(ast.Module([node], []))), path
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("include."):
                waiting.append(PROJECT / f"{node.module.replace('.', '/')}.py")


PYTHON_ON_EXECUTORS = {"udf", "udtf", "pandas_udf", "mapInPandas", "applyInPandas", "mapInArrow"}
PYTHON_ON_EXECUTORS |= {"applyInArrow", "foreach", "foreachPartition", "toPandas", "rdd", "toLocalIterator"}


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.parent.name == "spark_jobs"], ids=lambda p: p.name
)
def test_a_job_needs_nothing_but_spark_on_the_executors(path):
    tree = ast.parse(path.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names}
    assert not names & PYTHON_ON_EXECUTORS


@pytest.mark.parametrize("task", TASKS)
def test_a_job_is_a_documented_script_with_a_main(task):
    tree = ast.parse((PROJECT / "spark_jobs" / f"{task}.py").read_text())
    assert ast.get_docstring(tree).startswith(f"{task}: ")
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert "main" in functions
    source = ast.unparse(tree)
    assert ".master(" not in source, "where a job runs is said by the connection"


def test_no_code_names_a_master_or_memory():
    for path in FILES:
        if path.parent.name == "spark_jobs":
            for word in ("local[", "spark.master", "spark.executor", "driver.memory"):
                assert word not in path.read_text(), path


def test_the_tests_see_the_files_they_are_about():
    assert {path.stem for path in FILES if path.parent.name == "spark_jobs"} == set(TASKS)
