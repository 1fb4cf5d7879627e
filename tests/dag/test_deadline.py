"""When the snapshot of a day is late."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from airflow.sdk.definitions.deadline import DeadlineAlert
from airflow.serialization.decoders import decode_deadline_alert
from airflow.serialization.definitions.deadline import SerializedReferenceModels
from airflow.serialization.encoders import encode_deadline_alert
from airflow.utils.types import DagRunType
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from include.orchestration.deadline import PublishedBy, due
from include.pipeline import DAG_ID, NO_DEADLINE_VARIABLE
from include.settings import RunConfig, Segmentation
from tests.dag.conftest import parsed_dag


@pytest.fixture
def settings(config: RunConfig) -> Segmentation:
    return config.settings.model_copy(update={"published_by": "06:00", "time_zone": "Europe/Berlin"})


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("start", "deadline"),
    [
        ("2011-03-26T04:00", "2011-03-26T05:00Z"),
        ("2011-03-27T04:00", "2011-03-27T04:00Z"),  # the first day of summer time
        ("2011-10-29T04:00", "2011-10-29T04:00Z"),
        ("2011-10-30T04:00", "2011-10-30T05:00Z"),  # the first day of winter time
    ],
)
def test_the_deadline_is_the_same_local_time_in_summer_and_winter(
    settings: Segmentation, start: str, deadline: str
) -> None:
    assert due(local(start), settings) == datetime.fromisoformat(deadline)


@pytest.mark.parametrize(
    ("start", "deadline"), [("05:59", "2011-12-10"), ("06:00", "2011-12-11"), ("20:00", "2011-12-11")]
)
def test_a_run_that_starts_later_in_the_day_has_time_until_the_next(
    settings: Segmentation, start: str, deadline: str
) -> None:
    assert due(local(f"2011-12-10T{start}"), settings) == local(f"{deadline}T06:00")


def test_without_a_time_nothing_is_late(settings: Segmentation) -> None:
    assert due(local("2011-12-10T04:00"), settings.model_copy(update={"published_by": None})) is None


@pytest.fixture
def session() -> Iterator[Session]:
    """Airflow's tables, empty, in memory."""
    import_all_models()  # type: ignore[no-untyped-call]
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def deadline_of_run(session: Session, run_type: DagRunType) -> datetime | None:
    end = datetime(2011, 12, 10, 2, tzinfo=UTC)
    start = datetime(2011, 12, 9, 2, tzinfo=UTC)
    run = DagRun(
        dag_id=DAG_ID,
        run_id="r",
        run_type=run_type,
        logical_date=start,
        data_interval=(start, end),
        run_after=end,
    )
    session.add(run)
    session.flush()
    return PublishedBy()._evaluate_with(session=session, dag_id=DAG_ID, run_id="r")


def test_a_scheduled_run_has_the_configured_deadline_on_its_as_of_date(session: Session) -> None:
    found = deadline_of_run(session, DagRunType.SCHEDULED)
    assert found is not None
    assert found.isoformat() == "2011-12-10T06:00:00+00:00"


@pytest.mark.parametrize("run_type", [DagRunType.MANUAL, DagRunType.BACKFILL_JOB])
def test_other_runs_have_none(session: Session, run_type: DagRunType) -> None:
    assert deadline_of_run(session, run_type) is None


def test_the_scheduler_finds_the_deadline_of_the_dag_again_by_the_plugin(dag: DAG) -> None:
    """It decodes what the DAG processor has stored whenever it creates a run."""
    [alert] = cast("list[DeadlineAlert]", dag.deadline)
    stored = {"__type": "deadline_alert", "__var": encode_deadline_alert(alert)}
    found = decode_deadline_alert(stored).reference
    assert isinstance(found, SerializedReferenceModels.SerializedCustomReference)
    assert isinstance(found.inner_ref, PublishedBy)


def test_airflow_dags_test_can_do_without_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NO_DEADLINE_VARIABLE, "1")
    assert parsed_dag().deadline is None


def test_a_configuration_without_a_time_makes_a_dag_without_a_deadline(config_copy: Path) -> None:
    file = config_copy / "segmentation.yaml"
    file.write_text(file.read_text().replace('published_by: "06:00"', "published_by: null"))
    assert parsed_dag().deadline is None
