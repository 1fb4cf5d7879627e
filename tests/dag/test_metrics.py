"""The pipeline's own gauges, as the operator sends them by Airflow's client to a StatsD server."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

from include.lake.commit import point_latest
from include.lake.paths import Lake
from include.lake.state import StageRecord, state_text
from include.pipeline import REPORT_VARIABLE, REPORTED_RECORD
from include.published.files import write_small_csv
from include.settings import RunConfig
from tests import statsd
from tests.dag.conftest import Render
from tests.dag.lakes import convert
from tests.statsd import StatsD

pytestmark = pytest.mark.usefixtures("a_machine_that_can")

AS_OF = "2011-12-10"  # of the run that is rendered
Job = Callable[..., None]


def connect() -> None:
    """As each task process does at its start."""
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)


@pytest.fixture
def server() -> Iterator[StatsD]:
    with statsd.listening() as server:
        yield server


@pytest.fixture
def sent(server: StatsD) -> Iterator[StatsD]:
    """What Airflow sends, whose metrics are switched on."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.settings.items():
            patch.setenv(name, value)
        connect()
        yield server
    connect()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Job:
    """Jobs that report this record, in place of a Spark that runs them."""

    def reports(rejects: dict[str, int] | None = None, warnings: list[str] | None = None) -> None:
        out = 10 - sum((rejects or {}).values())
        record = StageRecord(
            rows_in=10,
            rows_out=out,
            rejects=rejects or {},
            seconds=4.5,
            started="2011-12-10T04:00:00+00:00",
            dag_run="scheduled",
            application_id=None,
            warnings=warnings,
        )

        def submit(*_: object, **__: object) -> None:
            Path(os.environ[REPORT_VARIABLE], REPORTED_RECORD).write_text(state_text(record))

        monkeypatch.setattr(SparkSubmitHook, "submit", submit)

    reports()
    return reports


def publish(lake: Lake, customers: Mapping[str, int], as_of: str = AS_OF) -> None:
    """Publish a snapshot with these segments and a file of 100 bytes."""
    link = lake.root / "published" / f"as_of={as_of}"
    version = link.parent / ".versions" / f"{link.name}.0123456789ab"
    version.mkdir(parents=True)
    rows = [{"segment": name, "customers": count} for name, count in customers.items()]
    write_small_csv(version / "segment_summary.csv", ["segment", "customers"], rows)
    (version / "rfm_df.csv").write_bytes(b"." * 100)
    link.symlink_to(version.relative_to(link.parent))
    point_latest(lake)


def execute(render: Render, task: str, **params: object) -> None:
    operator, context = render(task, params=params)
    operator.execute(context)


def test_a_task_sends_its_rows_rejects_seconds_and_warnings(
    render: Render, sent: StatsD, job: Job, lake: Lake, config: RunConfig
) -> None:
    convert(lake, config.settings)  # so there is something to clean
    job(rejects={"missing_customer": 2, "price_not_positive": 1}, warnings=["odd", "odder"])
    execute(render, "clean")
    assert sent.values() == {
        "airflow.rfm.rows_in.clean": "10",
        "airflow.rfm.rows_out.clean": "7",
        "airflow.rfm.seconds.clean": "4.5",
        "airflow.rfm.warnings.clean": "2",
        "airflow.rfm.rejects.clean.missing_customer": "2",
        "airflow.rfm.rejects.clean.price_not_positive": "1",
    }


def test_ingest_sends_the_bytes_of_all_counted_files_though_it_has_nothing_to_do(
    render: Render, sent: StatsD, lake: Lake, config: RunConfig
) -> None:
    convert(lake, config.settings)
    execute(render, "ingest")
    size = (lake.landing / "2010-12-01.csv").stat().st_size
    assert sent.values()["airflow.rfm.bytes.landed"] == str(size)
    assert sent.values()["airflow.rfm.rejects.ingest.quantity_unreadable"] == "1"


@pytest.mark.usefixtures("job")
def test_publish_sends_the_segments_the_size_and_the_date_of_the_snapshot(
    render: Render, sent: StatsD, lake: Lake
) -> None:
    publish(lake, {"Champions": 3, "Can't Lose Them": 0, "Größte v2.0": 1})
    execute(render, "publish")
    found = {name.removeprefix("airflow.rfm."): value for name, value in sent.values().items()}
    summary = (lake.latest / "segment_summary.csv").stat().st_size
    assert found["customers.Champions"] == "3"
    assert found["customers.Can_t_Lose_Them"] == "0"
    assert found["customers.Gr__te_v2_0"] == "1"
    assert found["bytes.published"] == str(summary + 100)
    assert found["snapshot.as_of"] == "1323475200"  # 2011-12-10 00:00 in London, as `date -d` has it


@pytest.mark.usefixtures("job")
def test_a_date_before_the_newest_snapshot_sends_nothing(render: Render, sent: StatsD, lake: Lake) -> None:
    publish(lake, {"Champions": 3})
    publish(lake, {"Champions": 4}, as_of="2011-12-11")
    execute(render, "publish")
    assert sent.values() == {}


@pytest.mark.usefixtures("job")
def test_a_variant_sends_nothing(render: Render, sent: StatsD) -> None:
    execute(render, "segment", lookback_days=90)
    assert sent.values() == {}


@pytest.mark.usefixtures("job")
def test_nothing_is_read_or_sent_while_airflow_s_metrics_are_off(render: Render, server: StatsD) -> None:
    execute(render, "publish")  # there is no snapshot that could be read
    assert server.values() == {}
