"""What a task submits: the arguments of its job, rendered for a run, and where the job runs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from include.orchestration.links import job_arguments
from include.pipeline import PROJECT, TASKS
from tests.dag.conftest import SPARK_CONNECTION_VARIABLE, Render

LONDON = ZoneInfo("Europe/London")


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
def test_a_scheduled_run_is_as_of_the_local_date_its_interval_ends(
    render: Render, ends: datetime, as_of: str
) -> None:
    operator, _ = render(data_interval_end=ends.astimezone(UTC))
    assert job_arguments(operator)["--as-of"] == as_of


def test_a_manual_run_without_a_logical_date_is_as_of_the_day_it_starts(render: Render) -> None:
    started = datetime(2011, 6, 30, 23, 30, tzinfo=UTC)
    operator, _ = render(
        run_id="manual__x", run_type="manual", logical_date=None, data_interval_end=None, run_after=started
    )
    assert job_arguments(operator)["--as-of"] == "2011-07-01"
    assert job_arguments(operator)["--dag-run"] == "manual__x"


@pytest.mark.parametrize("task", TASKS)
def test_the_as_of_param_wins_and_all_params_reach_every_job(render: Render, task: str) -> None:
    params = {"as_of": "2011-07-01", "segment_map": "rf10", "lookback_days": 90}
    operator, context = render(task, params)
    given = job_arguments(operator)
    assert given["--as-of"] == "2011-07-01"
    assert json.loads(given["--params"]) == context["params"]
    assert all(isinstance(text, str) for text in operator.application_args or [])


def test_the_time_zone_is_the_configured_one(render: Render, config_copy: Path) -> None:
    file = config_copy / "segmentation.yaml"
    file.write_text(file.read_text().replace("Europe/London", "Asia/Tokyo"))
    operator, _ = render(data_interval_end=datetime(2011, 12, 9, 17, tzinfo=UTC))
    assert job_arguments(operator)["--as-of"] == "2011-12-10"


@pytest.mark.parametrize(
    ("connection", "master"),
    [
        ('{"conn_type": "spark", "host": "local[*]"}', "local[*]"),
        ("spark://host:7077", "spark://host:7077"),
        ('{"conn_type": "spark", "host": "spark://host:7077"}', "spark://host:7077"),
        ('{"conn_type": "spark", "host": "spark://host", "port": 7077}', "spark://host:7077"),
    ],
)
def test_the_connection_alone_says_where_the_job_runs(
    render: Render, monkeypatch: pytest.MonkeyPatch, connection: str, master: str
) -> None:
    monkeypatch.setenv(SPARK_CONNECTION_VARIABLE, connection)
    operator, _ = render("rfm")
    hook = operator._get_hook()
    assert hook._build_spark_submit_command(operator.application) == [
        "spark-submit",
        *["--master", master],
        *["--name", "rfm rfm"],
        str(PROJECT / "spark_jobs/rfm.py"),
        *(operator.application_args or []),
    ]
    assert hook._env == operator.env_vars


def test_the_job_finds_the_project_s_modules(render: Render) -> None:
    operator, _ = render()
    assert operator.env_vars == {"PYTHONPATH": str(PROJECT)}
