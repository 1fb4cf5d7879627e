"""Failures that have not been followed by a success."""

from datetime import date

from include.lake.failures import OpenFailure, open_failures, remember_failure, take_failure
from include.lake.paths import Lake

DAY = date(2011, 12, 10)
FAILURE = OpenFailure(dag_run="manual__1", task="ingest", reason="ingest: bad.csv", notified=True)


def test_a_failure_is_taken_once(lake: Lake) -> None:
    remember_failure(lake, DAY, None, FAILURE)
    assert take_failure(lake, DAY, None) == FAILURE
    assert take_failure(lake, DAY, None) is None


def test_the_last_failure_of_a_date_counts(lake: Lake) -> None:
    remember_failure(lake, DAY, None, FAILURE)
    again = FAILURE.model_copy(update={"task": "publish"})
    remember_failure(lake, DAY, None, again)
    assert take_failure(lake, DAY, None) == again


def test_a_variant_has_failures_of_its_own(lake: Lake) -> None:
    remember_failure(lake, DAY, "segment_map=rf10", FAILURE)
    assert take_failure(lake, DAY, None) is None
    assert open_failures(lake) == [FAILURE]


def test_a_failure_that_cannot_be_read_is_none_and_goes(lake: Lake) -> None:
    remember_failure(lake, DAY, None, FAILURE)
    lake.failure(DAY).write_text('{"format": 2}')
    assert open_failures(lake) == []
    assert take_failure(lake, DAY, None) is None
    assert not lake.failure(DAY).exists()
