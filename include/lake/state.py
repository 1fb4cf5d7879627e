"""What all state files of the lake have in common: frozen models, a format number, counts by stage.

A file without a format number is of format 0, from before there were any. It has the same keys as format
1 and is read as such. A file of a later format is refused, never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer

from include.errors import InputError


class State(BaseModel):
    """Frozen, with every key known. Optional keys are written only where they have a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_serializer(mode="wrap")
    def without_absent_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        absent = {
            name
            for name, model_field in type(self).model_fields.items()
            if not model_field.is_required() and getattr(self, name) is None
        }
        return {key: value for key, value in serialize(self).items() if key not in absent}


class StateFile(State):
    """A state that has a file of its own."""

    format: Literal[1] = 1


S = TypeVar("S", bound=StateFile)


class UnreadableError(Exception):
    """A state file that is no JSON of its model, or of a later format. Its message says which."""


def read_state(file: Path, model: type[S]) -> S:
    """The state in a file.

    Raises FileNotFoundError without the file, and UnreadableError when its content cannot be used.
    """
    text = file.read_bytes()
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        if where == "format":
            later = f"format {first['input']}, which this code does not know"
            raise UnreadableError(f"{file} has {later}") from None
        problem = f"{where}: {first['msg']}" if where else first["msg"]
        raise UnreadableError(f"{file} cannot be read ({problem})") from None


def state_text(state: State, indent: int | None = None) -> str:
    return state.model_dump_json(by_alias=True, indent=indent)


class StageDetails(TypedDict, total=False):
    """What one stage's record has beyond the common counts."""

    files_landed: int
    files_converted: int
    files_not_counted: dict[str, str]
    files_gone: dict[str, int]
    files_cleaned: int
    customers: dict[str, int]
    warnings: list[str]


class StageRecord(State):
    """What a task did: rows in and out, rejects by reason, and by which execution."""

    rows_in: int
    rows_out: int
    rejects: dict[str, int]
    seconds: float
    started: str
    dag_run: str
    application_id: str | None  # null where there was nothing to do, and Spark was not started
    files_landed: int | None = None  # ingest
    files_converted: int | None = None
    files_not_counted: dict[str, str] | None = None  # by name, with the reason
    files_gone: dict[str, int] | None = None  # since the run before: by name, the lines they had kept
    files_cleaned: int | None = None  # clean
    customers: dict[str, int] | None = None  # rfm: by date
    warnings: list[str] | None = None  # what somebody should look at though nothing failed, a sentence each

    def lines(self) -> list[str]:
        """The counts as a table, a line each, and the warnings below it."""
        rejects = [(f"rejected: {reason}", count) for reason, count in self.rejects.items()]
        files = [
            ("landed files", self.files_landed),
            ("new or changed files", self.files_converted),
            ("files not counted", len(self.files_not_counted or ()) or None),
            ("files gone", len(self.files_gone or ()) or None),
            ("cleaned files", self.files_cleaned),
        ]
        customers = [(f"customers as of {day}", count) for day, count in (self.customers or {}).items()]
        counts = [("rows in", self.rows_in), *rejects, ("rows out", self.rows_out), *files, *customers]
        table = [f"{name:<40} {count:>14,}" for name, count in counts if count is not None]
        seconds = f"{'seconds':<40} {self.seconds:>14,}"
        return [*table, seconds, *(f"warning: {sentence}" for sentence in self.warnings or ())]


Stages = dict[str, StageRecord]  # by task, in the order of the tasks


def all_warnings(stages: Mapping[str, StageRecord]) -> list[str]:
    """The warnings of all tasks, in the order of the tasks."""
    return [sentence for record in stages.values() for sentence in record.warnings or ()]


@dataclass(frozen=True)
class Execution:
    """Who executes a task: the Airflow run, and Spark's application where there is one."""

    task: str
    dag_run: str
    application_id: str | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def record(
        self, rows_in: int, rows_out: int, rejects: Mapping[str, int], **details: Unpack[StageDetails]
    ) -> StageRecord:
        """The record of what was done. Raises InputError unless the counts reconcile."""
        reconcile("all files", rows_in, rows_out, rejects)
        return StageRecord(
            rows_in=rows_in,
            rows_out=rows_out,
            rejects=dict(rejects),
            seconds=round((datetime.now(UTC) - self.started).total_seconds(), 1),
            started=self.started.isoformat(timespec="seconds"),
            dag_run=self.dag_run,
            application_id=self.application_id,
            **details,
        )


def reconcile(what: str, rows_in: int, rows_out: int, rejects: Mapping[str, int]) -> None:
    """Raises InputError unless rows in = rows out + rejects."""
    if rows_in != rows_out + sum(rejects.values()):
        raise InputError(
            f"{what}: {rows_in} rows in, but {rows_out} rows out and rejects {dict(rejects)}: not equal"
        )
