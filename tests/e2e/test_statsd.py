"""The metrics that a real Airflow sends have everything that alerts and dashboard ask for."""

import pytest

from tests.e2e.conftest import Airflow
from tests.jobs.shop import open_shop
from tests.statsd import StatsD, asked_for, exported

GOOD, BAD = "manual__good_day", "manual__bad_day"


@pytest.fixture(scope="module")
def runs(airflow: Airflow) -> None:
    """A run for today, which is the newest date, and one that fails."""
    open_shop(airflow.lake.root)
    airflow.unpause()
    airflow.trigger(GOOD)
    airflow.trigger(BAD, as_of="2999-01-01")
    assert airflow.wait_for_run(GOOD, 300) == "success"
    assert airflow.wait_for_run(BAD, 120) == "failed"


@pytest.mark.usefixtures("runs")
def test_each_time_series_of_alerts_and_dashboard_is_sent(airflow: Airflow, metrics: StatsD) -> None:
    def missing() -> list[str]:
        sent = exported(metrics.types())
        return [str(asked) for asked in asked_for() if not any(series.answers(asked) for series in sent)]

    airflow.until(f"Airflow sends {missing()}", lambda: not missing(), 30)


@pytest.mark.usefixtures("runs")
def test_its_customers_are_those_of_the_published_snapshot(airflow: Airflow, metrics: StatsD) -> None:
    sent = metrics.values()
    customers = [int(value) for name, value in sent.items() if name.startswith("airflow.rfm.customers.")]
    published = (airflow.lake.latest / "rfm_df.csv").read_text().splitlines()
    assert sum(customers) == len(published) - 1
