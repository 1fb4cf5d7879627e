"""Notifications by the real notifiers, to a webhook and a mail server on this machine."""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include.lake.paths import Lake
from include.orchestration.notifications import (
    keep_reason,
    notify_of_failure,
    notify_of_retry,
    notify_of_success,
    notify_when_late,
)
from include.pipeline import CHAT_CONNECTION, LAKE_VARIABLE, MAIL_CONNECTION
from tests.dag.conftest import TaskInstance, dag_run
from tests.receivers import PASSWORD, TOKEN, Received, listening

FAILED = "Failed: customer segments as of 2011-12-10"
RECOVERED = "Recovered: customer segments as of 2011-12-10"
REASON = "ingest: bad.csv: no column UnitPrice"
CONNECTIONS = [f"AIRFLOW_CONN_{name.upper()}" for name in (CHAT_CONNECTION, MAIL_CONNECTION)]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv(LAKE_VARIABLE, str(tmp_path))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example:8080")
    return Lake(tmp_path)


@pytest.fixture
def received(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    with listening() as received:
        for name, value in received.connections.items():
            monkeypatch.setenv(name, value)
        yield received


def context_of(
    *, task: str = "ingest", params: Mapping[str, object] | None = None, reason: str = REASON, **run: object
) -> Context:
    """The context of a run's callback, whose task has left a reason."""
    ti = TaskInstance(task, try_number=3)
    if reason:
        keep_reason(cast("Context", {"ti": ti, "exception": AirflowFailException(reason)}))
    found = dag_run(**run)
    return cast("Context", {"ti": ti, "params": params or {}, "dag_run": found, "run_id": found.run_id})


# -- who is notified ----------------------------------------------------------------------------


def test_a_failed_run_is_told_to_the_chat(received: Received) -> None:
    notify_of_failure(context_of())
    [chat] = received.chats
    assert (chat.title, chat.level) == (FAILED, "failure")
    run = (
        "http://airflow.example:8080/dags/rfm_segmentation/runs/scheduled__2011-12-09T02%3A00%3A00%2B00%3A00"
    )
    assert chat.text == (
        "`ingest` failed for good at its try 3. An earlier snapshot of this date stays as it is.\n\n"
        "ingest: bad.csv: no column UnitPrice\n\n"
        "When the cause is gone, clear the run from `ingest`.\n\n"
        f"Run: {run}\n"
        f"Log: {run}/tasks/ingest?try_number=3\n"
        "Snapshot: http://airflow.example:8080/rfm/snapshots/2011-12-10/"
    )


def test_a_failed_run_is_told_by_mail(received: Received) -> None:
    notify_of_failure(context_of())
    [mail] = received.mails
    assert (mail.to, mail.sender) == ("a@shop.example, b@shop.example", "airflow@shop.example")
    assert mail.subject == FAILED
    assert "<p>ingest: bad.csv: no column UnitPrice</p>" in mail.html
    assert 'href="http://airflow.example:8080/rfm/snapshots/2011-12-10/"' in mail.html


def test_texts_of_the_shop_are_neither_markup_nor_template(received: Received) -> None:
    notify_of_failure(context_of(reason="ingest: {{ 6 * 7 }} <b>.csv"))
    assert "ingest: {{ 6 * 7 }} <b>.csv" in received.chats[0].text
    assert "ingest: {{ 6 * 7 }} &lt;b&gt;.csv" in received.mails[0].html


@pytest.mark.parametrize(
    ("missing", "chats", "mails"), [(CONNECTIONS[:1], 0, 1), (CONNECTIONS[1:], 1, 0), (CONNECTIONS, 0, 0)]
)
def test_only_connections_that_exist_are_used(
    received: Received, monkeypatch: pytest.MonkeyPatch, missing: list[str], chats: int, mails: int
) -> None:
    for name in missing:
        monkeypatch.delenv(name)
    notify_of_failure(context_of())
    assert (len(received.chats), len(received.mails)) == (chats, mails)


def test_without_a_connection_nothing_is_remembered(
    received: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever adds a connection later is not told of the recovery of what they never heard of."""
    with monkeypatch.context() as without:
        for name in CONNECTIONS:
            without.delenv(name)
        notify_of_failure(context_of())
    notify_of_success(context_of())
    assert received.titles == []


def test_a_mail_server_that_is_away_does_not_keep_the_chat_from_it_and_no_secret_is_logged(
    received: Received, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mail = json.loads(received.connections[CONNECTIONS[1]]) | {"port": 1}
    monkeypatch.setenv(CONNECTIONS[1], json.dumps(mail))
    notify_of_failure(context_of())
    assert received.titles == [FAILED]
    assert "could not be sent to the connection 'rfm_mail'" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_chat_that_is_away_does_not_keep_the_mail_from_it_and_no_secret_is_logged(
    received: Received, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = f"json://127.0.0.1:1/{TOKEN}"
    chat = {"conn_type": "apprise", "extra": {"config": {"path": path}}}
    monkeypatch.setenv(CONNECTIONS[0], json.dumps(chat))
    notify_of_failure(context_of())
    assert [mail.subject for mail in received.mails] == [FAILED]
    assert "Connection error" in caplog.text
    assert TOKEN not in caplog.text


def test_a_mail_connection_without_recipients_is_named_in_the_log(
    received: Received, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mail = json.loads(received.connections[CONNECTIONS[1]])
    del mail["extra"]["to"]
    monkeypatch.setenv(CONNECTIONS[1], json.dumps(mail))
    notify_of_failure(context_of())
    assert "connection 'rfm_mail': its extra has no to" in caplog.text


# -- failures and retries -----------------------------------------------------------------------


def test_a_task_that_was_killed_outright_left_no_reason_and_is_told_as_such(received: Received) -> None:
    notify_of_failure(context_of(task="rfm", reason=""))
    [chat] = received.chats
    assert "the process of the task ended without a word: killed" in chat.text
    assert "clear the run from `rfm`" in chat.text


def test_a_variant_is_named_and_its_page_linked(received: Received) -> None:
    notify_of_failure(context_of(params={"segment_map": "rf10", "as_of": "2011-12-01"}))
    assert received.titles == ["Failed: customer segments as of 2011-12-01 (segment_map=rf10)"]
    assert "/rfm/snapshots/variants/segment_map=rf10/2011-12-01/" in received.chats[0].text


def test_a_try_that_is_followed_by_another_is_told_with_its_reason(received: Received) -> None:
    error = AirflowException("Error code is: 1.\nrfm error: rfm: OSError: disk full")
    notify_of_retry(cast("Context", {**context_of(task="rfm"), "exception": error}))
    [chat] = received.chats
    assert (chat.title, chat.level) == ("Trying again: customer segments as of 2011-12-10", "warning")
    assert "Try 3 of `rfm` failed.\n\nrfm: OSError: disk full\n\nNothing to do yet" in chat.text


def test_runs_of_a_backfill_that_fail_for_the_same_reason_are_told_once(received: Received) -> None:
    for day in ("2011-12-01", "2011-12-02", "2011-12-03"):
        notify_of_failure(context_of(run_type="backfill", params={"as_of": day}))
    notify_of_failure(context_of(run_type="backfill", params={"as_of": "2011-12-04"}, reason="another"))
    assert [title[-10:] for title in received.titles] == ["2011-12-01", "2011-12-04"]


def test_a_scheduled_run_is_told_although_an_earlier_one_failed_for_the_same_reason(
    received: Received,
) -> None:
    for day in ("2011-12-01", "2011-12-02"):
        notify_of_failure(context_of(params={"as_of": day}))
    assert [title[-10:] for title in received.titles] == ["2011-12-01", "2011-12-02"]


def test_a_failure_is_told_although_nothing_can_be_written_to_the_lake(
    received: Received, lake: Lake
) -> None:
    """A full disk may be why the run has failed."""
    lake.failures.write_text("in the way of the folder")
    with pytest.raises(OSError):
        notify_of_failure(context_of())
    assert received.titles == [FAILED]


# -- recoveries and warnings --------------------------------------------------------------------


def test_the_first_success_after_a_failure_is_told_and_no_later_one(received: Received) -> None:
    notify_of_failure(context_of())
    notify_of_success(context_of(task="publish"))
    notify_of_success(context_of(task="publish"))
    assert received.titles == [FAILED, RECOVERED]
    assert "`ingest` had failed in the run scheduled__2011-12-09" in received.chats[-1].text


def test_another_run_of_the_date_repairs_it_too(received: Received) -> None:
    notify_of_failure(context_of())
    notify_of_success(context_of(run_id="manual__1", run_type="manual", params={"as_of": "2011-12-10"}))
    assert received.titles == [FAILED, RECOVERED]


@pytest.mark.parametrize("params", [{"as_of": "2011-12-11"}, {"segment_map": "rf10"}], ids=str)
def test_another_date_or_variant_is_no_recovery(received: Received, params: dict[str, object]) -> None:
    notify_of_failure(context_of())
    notify_of_success(context_of(params=params))
    assert received.titles == [FAILED]


def test_a_recovery_counts_what_failed_for_the_same_reason_and_still_waits(received: Received) -> None:
    for day in ("2011-12-10", "2011-12-11", "2011-12-12"):
        notify_of_failure(context_of(run_type="backfill", params={"as_of": day}))
    for day in ("2011-12-10", "2011-12-11"):
        notify_of_success(context_of(run_type="backfill", params={"as_of": day}))
    assert received.titles == [FAILED, RECOVERED]
    assert "2 other dates failed for the same reason" in received.chats[-1].text


def test_a_success_like_any_other_is_not_told(received: Received) -> None:
    notify_of_success(context_of())
    assert received.titles == []


def numbers(*warnings: str) -> dict[str, object]:
    return {
        "as_of": "2011-12-10",
        "variant": None,
        "rows_in": 1,
        "rows_out": 1,
        "rejects": {},
        "seconds": 1.0,
        "started": "2011-12-10T04:00:00+00:00",
        "dag_run": "r",
        "application_id": None,
        **({"warnings": list(warnings)} if warnings else {}),
    }


def with_warnings(**run: object) -> Context:
    context = context_of(task="publish", **cast("dict[str, Any]", run))
    others = {"ingest": {"numbers": numbers("No new file for 3 days.")}, "clean": {"numbers": numbers()}}
    cast("TaskInstance", context["ti"]).xcoms_of_others = cast("dict[str, dict[str, object]]", others)
    context["ti"].xcom_push("numbers", numbers("At Risk grew by 20 %."))
    return context


def test_the_warnings_of_all_tasks_are_told(received: Received) -> None:
    notify_of_success(with_warnings())
    [chat] = received.chats
    assert (chat.title, chat.level) == (
        "Published with warnings: customer segments as of 2011-12-10",
        "warning",
    )
    assert "\n\nNo new file for 3 days.\n\nAt Risk grew by 20 %.\n\n" in chat.text


def test_the_warnings_of_a_backfill_are_not(received: Received) -> None:
    notify_of_success(with_warnings(run_type="backfill"))
    assert received.titles == []


# -- late ---------------------------------------------------------------------------------------


def tell_if_late(state: str) -> None:
    """As Airflow's triggerer does, with a run as it hands it over."""
    run = {
        "dag_run_id": "scheduled__2011-12-09T02:00:00+00:00",
        "dag_id": "rfm_segmentation",
        "state": state,
        "data_interval_end": "2011-12-10T02:00:00Z",
        "run_after": "2011-12-10T02:00:00Z",
        "note": None,
    }
    deadline = {"id": "1", "deadline_time": datetime(2011, 12, 10, 6, tzinfo=UTC)}
    asyncio.run(notify_when_late({"dag_run": run, "deadline": deadline}))


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_that_has_not_published_at_its_deadline_is_told(received: Received, state: str) -> None:
    tell_if_late(state)
    [chat] = received.chats
    assert (chat.title, chat.level) == ("Late: customer segments as of 2011-12-10", "failure")
    assert f"due at 06:00 (Europe/London) and is not published. Its run is {state}" in chat.text
    assert [mail.subject for mail in received.mails] == [chat.title]


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_run_that_has_ended_is_not_late(received: Received, state: str) -> None:
    """Airflow calls for failed runs too, and their failure has been told."""
    tell_if_late(state)
    assert received.titles == []


def test_a_run_that_has_published_and_still_loads_the_warehouse_is_not_late(
    received: Received, lake: Lake
) -> None:
    lake.published(date(2011, 12, 10)).mkdir(parents=True)
    tell_if_late("running")
    assert received.titles == []
