"""What the OpenLineage provider of Airflow sends for a finished task, by its file transport."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from airflow.utils.state import TaskInstanceState
from openlineage.client import OpenLineageClient
from openlineage.client.transport.file import FileConfig, FileTransport

from include.lake.state import StageRecord, state_text
from include.orchestration.spark_submit import RfmSparkSubmitOperator
from include.pipeline import REPORT_VARIABLE, REPORTED_RECORD
from tests.dag.conftest import Render

pytestmark = pytest.mark.usefixtures("a_machine_that_can")

RUN_ID = "01234567-89ab-7def-8123-456789abcdef"
Finished = Callable[..., RfmSparkSubmitOperator]
RECORD = StageRecord(
    rows_in=10,
    rows_out=7,
    rejects={"missing_customer": 3},
    seconds=4.5,
    started="2011-12-10T04:00:00+00:00",
    dag_run="scheduled",
    application_id=None,
    files_landed=2,
)


@pytest.fixture
def finished(render: Render, monkeypatch: pytest.MonkeyPatch) -> Finished:
    """A task that has run a job in place of Spark's. The job reports RECORD."""

    def run(task: str, **params: object) -> RfmSparkSubmitOperator:
        def submit(*_: object, **__: object) -> None:
            Path(os.environ[REPORT_VARIABLE], REPORTED_RECORD).write_text(state_text(RECORD))

        monkeypatch.setattr(SparkSubmitHook, "submit", submit)
        operator, context = render(task, params=params)
        operator.execute(context)
        return operator

    return run


def event_of(operator: RfmSparkSubmitOperator, state: TaskInstanceState, folder: Path) -> dict[str, Any]:
    """What the provider writes about a task that has ended."""
    run, found = SimpleNamespace(run_id="a run"), SimpleNamespace(task=operator)
    manager = ExtractorManager()  # type: ignore[no-untyped-call]
    metadata = manager.extract_metadata(run, operator, state, found)
    file = folder / "events.json"
    client = OpenLineageClient(transport=FileTransport(FileConfig(str(file), append=True)))
    nothing_more = dict.fromkeys(
        ["nominal_start_time", "nominal_end_time", "owners", "tags", "job_description"], None
    )
    OpenLineageAdapter(client).complete_task(
        run_id=RUN_ID,
        job_name=f"rfm_segmentation.{operator.task_id}",
        end_time="2011-12-10T04:01:00+00:00",
        task=metadata,
        **nothing_more,
    )
    event: dict[str, Any] = json.loads(file.read_text())
    return event


def names(datasets: list[dict[str, Any]], lake: Path) -> list[tuple[str, str]]:
    return [(found["namespace"], str(Path(found["name"]).relative_to(lake))) for found in datasets]


@pytest.mark.parametrize(
    ("task", "read", "made"),
    [
        ("ingest", "landing", "ingested"),
        ("rfm", "cleaned", "rfm"),
        ("segment", "rfm", "segments"),
        ("publish", "segments", "published"),
    ],
)
def test_a_task_names_the_folders_that_it_read_and_made(
    finished: Finished, tmp_path: Path, task: str, read: str, made: str
) -> None:
    event = event_of(finished(task), TaskInstanceState.SUCCESS, tmp_path)
    assert names(event["inputs"], tmp_path / "lake") == [("file", read)]
    assert names(event["outputs"], tmp_path / "lake") == [("file", made)]


def test_it_counts_rows_and_files_and_rejects_by_reason(finished: Finished, tmp_path: Path) -> None:
    event = event_of(finished("ingest"), TaskInstanceState.SUCCESS, tmp_path)
    [read], [made] = event["inputs"], event["outputs"]
    statistics = read["inputFacets"]["inputStatistics"]
    assert (statistics["rowCount"], statistics["fileCount"]) == (10, 2)
    assert made["outputFacets"]["outputStatistics"]["rowCount"] == 7
    assert event["run"]["facets"]["rfm_rejects"]["rows"] == {"missing_customer": 3}


def test_a_snapshot_is_a_version_of_its_folder(finished: Finished, tmp_path: Path) -> None:
    event = event_of(finished("rfm"), TaskInstanceState.SUCCESS, tmp_path)
    [read], [made] = event["inputs"], event["outputs"]
    assert "version" not in read["facets"]
    assert made["facets"]["version"]["datasetVersion"] == "2011-12-10"


def test_a_variant_makes_a_dataset_of_its_own(finished: Finished, tmp_path: Path) -> None:
    event = event_of(finished("publish", lookback_days=90), TaskInstanceState.SUCCESS, tmp_path)
    assert names(event["outputs"], tmp_path / "lake") == [("file", "published/variants/lookback_days=90")]


def test_a_failed_task_counts_nothing(render: Render, tmp_path: Path) -> None:
    operator, _ = render("segment")
    event = event_of(operator, TaskInstanceState.FAILED, tmp_path)
    assert names(event["inputs"], tmp_path / "lake") == [("file", "rfm")]
    assert event["outputs"][0].get("outputFacets", {}) == {}
