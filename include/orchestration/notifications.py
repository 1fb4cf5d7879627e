"""What Airflow calls when a task or a run has ended, or is late: the last line of the log, notifications.

The end of a run is told by the callbacks of the DAG. They run in the DAG processor and not in a task, so a
task that was killed outright is told of as well (apache/airflow 60858). A try that is followed by another
one is told by the task itself.
"""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, cast
from urllib.parse import quote

from airflow.sdk import Context
from airflow.sdk.configuration import conf
from airflow.sdk.log import redact  # type: ignore[attr-defined]
from pydantic import BaseModel, JsonValue

from include.as_of import as_of
from include.errors import UserError
from include.lake.failures import OpenFailure, open_failures, remember_failure, take_failure
from include.orchestration.links import snapshot_path
from include.orchestration.messages import (
    PROCESS_KILLED,
    Attempt,
    Snapshot,
    failed,
    late,
    reason_of,
    recovered,
    succeeded,
    tried_again,
)
from include.orchestration.notes import record_of
from include.orchestration.sending import receivers, send
from include.orchestration.spark_submit import lake
from include.pipeline import DAG_ID, NUMBERS, REASON, TASKS
from include.settings import Params, config_folder, load_config, load_params

log = logging.getLogger("airflow.task")

BACKFILL = "backfill"


# -- a task has ended ---------------------------------------------------------------------------


def log_reason(context: Context) -> None:
    """Make the reason of a failure the last line of the task's log, below the traceback."""
    log.info("::endgroup::")  # Airflow calls this inside of a group of lines that its UI shows folded
    log.error("%s", reason_of(context.get("exception")))


def keep_reason(context: Context) -> None:
    """Leave the reason of a failure as XCom, for the callback of the run."""
    if "exception" in context:  # it is not where the task's process is gone, and the scheduler tells so
        context["ti"].xcom_push(key=REASON, value=redacted(reason_of(context["exception"])))


def notify_of_retry(context: Context) -> None:
    if to := receivers():
        ti, snapshot = context["ti"], snapshot_of(context)
        attempt = Attempt(ti.task_id, ti.try_number)
        reason = redacted(reason_of(context["exception"])) if "exception" in context else PROCESS_KILLED
        send(tried_again(snapshot, attempt, reason, links(context["run_id"], snapshot, attempt)), to)


# -- a run has ended ----------------------------------------------------------------------------


def notify_of_failure(context: Context) -> None:
    """Tell of a failed run. Of a backfill's runs that fail for the same reason, the first is told only."""
    if not (to := receivers()):
        return
    ti, snapshot = context["ti"], snapshot_of(context)
    reason = cast("str | None", ti.xcom_pull(task_ids=ti.task_id, key=REASON)) or PROCESS_KILLED
    known = context["dag_run"].run_type == BACKFILL and is_open(reason)
    if not known:
        attempt = Attempt(ti.task_id, ti.try_number)
        send(failed(snapshot, attempt, reason, links(context["run_id"], snapshot, attempt)), to)
    # After it was sent: the lake's disk may be full, and the reason of the failure.
    failure = OpenFailure(dag_run=context["run_id"], task=ti.task_id, reason=reason, notified=not known)
    remember_failure(lake(), date.fromisoformat(snapshot.as_of), snapshot.variant, failure)


def is_open(reason: str) -> bool:
    """Whether a failure with this reason has been told, and is not repaired yet."""
    return any(failure.notified and failure.reason == reason for failure in open_failures(lake()))


def notify_of_success(context: Context) -> None:
    """Tell of the first success after a failure that was told, and of warnings.

    The warnings of a backfill are in the notes of its runs only. They are many, and its user watches it.
    """
    if not (to := receivers()):
        return
    snapshot = snapshot_of(context)
    earlier = take_failure(lake(), date.fromisoformat(snapshot.as_of), snapshot.variant)
    recovery = None
    if earlier and earlier.notified:
        same = sum(other.reason == earlier.reason for other in open_failures(lake()))
        recovery = recovered(earlier.task, earlier.dag_run, same)
    warnings = [] if context["dag_run"].run_type == BACKFILL else list(warnings_of(context))
    message = succeeded(snapshot, recovery, warnings, links(context["run_id"], snapshot))
    if message:
        send(message, to)


def warnings_of(context: Context) -> Iterator[str]:
    for task in TASKS:
        numbers = context["ti"].xcom_pull(task_ids=task, key=NUMBERS)
        if numbers:
            yield from record_of(cast("dict[str, JsonValue]", numbers)).warnings or []


# -- a run is late ------------------------------------------------------------------------------


class LateRun(BaseModel):
    """A run as Airflow hands it to the callback of a deadline."""

    dag_run_id: str
    state: str
    data_interval_end: datetime | None
    run_after: datetime


async def notify_when_late(context: Mapping[str, Any]) -> None:
    """The triggerer calls this. In a thread, as it has other work and a mail server may be slow."""
    await asyncio.to_thread(tell_when_late, LateRun.model_validate(context["dag_run"]))


def tell_when_late(run: LateRun) -> None:
    """Tell that a snapshot is late. Airflow also calls this for runs that failed long before
    (apache/airflow 60927), and these have been told of."""
    snapshot = Snapshot(as_of(run, {}))
    published = lake().published(date.fromisoformat(snapshot.as_of)).exists()
    if run.state in ("success", "failed") or published:
        return
    settings = load_config(config_folder(), Params()).settings
    due = f"{settings.published_by} ({settings.time_zone})"
    send(late(snapshot, due, run.state, links(run.dag_run_id, snapshot)), receivers())


# -- what a message is about --------------------------------------------------------------------


def snapshot_of(context: Context) -> Snapshot:
    """The snapshot of a run. A run with wrong params fails because of them, and is of no variant."""
    params = dict(context["params"])
    try:
        variant = load_config(config_folder(), load_params(json.dumps(params))).variant
    except UserError:
        variant = None
    return Snapshot(as_of(context["dag_run"], params), variant)


def redacted(reason: str) -> str:
    """A reason without the secrets that Airflow knows in this process."""
    return str(redact(reason))


def links(run_id: str, snapshot: Snapshot, attempt: Attempt | None = None) -> dict[str, str]:
    """The pages of a run by name; none where Airflow is not told its own address."""
    base = (conf.get("api", "base_url", fallback=None) or "").rstrip("/")
    if not base:
        return {}
    found = {"Run": f"{base}/dags/{DAG_ID}/runs/{quote(run_id, safe='')}"}
    if attempt:
        found["Log"] = f"{found['Run']}/tasks/{attempt.task}?try_number={attempt.number}"
    path = snapshot_path(snapshot.as_of, snapshot.variant)
    return {**found, "Snapshot": f"{base}{quote(path, safe='/=,')}"}
