"""Which runs go first when slots are short."""

from datetime import UTC, datetime

import pytest

from include.orchestration.priority import catches_up

NOW = datetime(2026, 3, 10, 4, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "run_id",
    [
        "scheduled__2026-03-10T04:00:00+00:00",  # tonight's
        "scheduled__2026-03-09T04:00:00+00:00",  # yesterday's, which was cleared
        "manual__2026-03-10T03:59:00.123456+00:00_x7Kd2",
        "manual__2011-03-10T04:00:00+00:00",
        "an id of my own",
        "scheduled__by hand",
        "scheduled__2025-03-10",  # without a zone: no id of Airflow's
        "",
    ],
)
def test_the_daily_run_and_runs_triggered_by_hand_go_first(run_id: str) -> None:
    assert not catches_up(run_id, NOW)


@pytest.mark.parametrize(
    "run_id",
    [
        "backfill__2025-03-10T04:00:00+00:00",
        "backfill__2026-03-10T04:00:00+00:00",
        "scheduled__2026-03-08T04:00:00+00:00",  # cleared, or reprocessed by a backfill
        "scheduled__2025-03-10T04:00:00+00:00",
    ],
)
def test_runs_of_the_past_wait(run_id: str) -> None:
    assert catches_up(run_id, NOW)
