"""The note of a run: its outcome in one line, where the grid and the list of runs show it.

Airflow calls these listeners in the scheduler, in the transaction that ends the run.
"""

from collections.abc import Mapping
from textwrap import shorten
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl
from pydantic import JsonValue

from include.as_of import as_of
from include.lake.state import StageRecord, all_warnings
from include.pipeline import DAG_ID, NUMBERS, TASKS

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

PREFIX = "as of "  # of every note that is written here
LONGEST_WARNING = 400  # characters; a note has room for 1,000


@hookimpl
def on_dag_run_success(dag_run: "DagRun", msg: str) -> None:
    write_note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: "DagRun", msg: str) -> None:
    write_note(dag_run)


def write_note(dag_run: "DagRun") -> None:
    """Write the outcome of a run of ours, unless a person has written a note."""
    # Task processes load this module with the plugin, and need none of these.
    from airflow.models.xcom import XComModel
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None:  # `airflow dags test`, as in `make run`: the run is not in anybody's UI
        return
    if dag_run.dag_id != DAG_ID or (dag_run.note and not dag_run.note.startswith(PREFIX)):
        return
    query = XComModel.get_many(run_id=dag_run.run_id, dag_ids=DAG_ID, task_ids=TASKS, key=NUMBERS)
    found: list[XComModel] = [row for row in session.scalars(query) if isinstance(row, XComModel)]
    numbers = {row.task_id: XComModel.deserialize_value(row) for row in found}
    failed = sorted(ti.task_id for ti in dag_run.get_task_instances(session=session) if ti.state == "failed")
    dag_run.note = f"{PREFIX}{as_of(dag_run, dag_run.conf or {})}{outcome(numbers, failed)}"


def outcome(numbers: Mapping[str, Mapping[str, JsonValue]], failed: list[str]) -> str:
    """The outcome of a run in a line, after its date: customers, lines kept, and what is special. `numbers`
    has the XCom of each task that ended well."""
    records = {task: record_of(numbers[task]) for task in TASKS if task in numbers}
    parts = []
    if "publish" in records:
        parts.append(f"{records['publish'].rows_out:,} customers")
    if "ingest" in records and "clean" in records:
        landed, kept = records["ingest"].rows_in, records["clean"].rows_out
        parts.append(f"{kept:,} of {landed:,} lines kept")
    if "ingest" in records:
        parts += ingest_parts(records["ingest"])
    parts += warning_parts(all_warnings(records))
    if failed:
        parts.append(f"failed at {', '.join(failed)}: the last line of its log has the reason")
    variant = next((found["variant"] for found in numbers.values() if found["variant"]), None)
    return f"{f' ({variant})' if variant else ''}: {', '.join(parts) or 'nothing was done'}"


def ingest_parts(record: StageRecord) -> list[str]:
    parts = [f"{record.files_converted:,} new files" if record.files_converted else "nothing new"]
    if record.files_not_counted:
        parts.append(f"{len(record.files_not_counted):,} files not counted")
    if record.files_gone:
        parts.append(f"{len(record.files_gone):,} files gone")
    return parts


def warning_parts(warnings: list[str]) -> list[str]:
    if not warnings:
        return []
    first = shorten(warnings[0], LONGEST_WARNING, placeholder=" ...")
    return [f"1 warning: {first}" if len(warnings) == 1 else f"{len(warnings)} warnings, the first: {first}"]


def record_of(numbers: Mapping[str, JsonValue]) -> StageRecord:
    known = {key: numbers[key] for key in StageRecord.model_fields if key in numbers}
    return StageRecord.model_validate(known)
