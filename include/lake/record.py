"""`run.json` in each version: what made it, from which state of the landing folder, with which counts.

A version of `rfm` or `segment` has a `VersionRecord`, a published snapshot has a `RunRecord`.
"""

import json
from collections import Counter
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from include.errors import OutdatedError
from include.lake.manifest import CleanedManifest, IngestedFile
from include.lake.state import S, StageRecord, Stages, State, StateFile, UnreadableError, read_state
from include.settings import SegmentMap

RECORD = "run.json"
NO_ORDER = (-1, -1)


class Record(StateFile):
    """What every version has. Of two versions of the same date, the one with the higher order counts."""

    landing_version: int = Field(alias="listing")
    attempt: int
    stages: Stages

    @property
    def commit_order(self) -> tuple[int, int]:
        return self.landing_version, self.attempt


class VersionRecord(Record):
    """What made a version of `rfm` or `segment`."""

    fingerprint: str = Field(alias="rules")  # of all settings that decide the result
    cleaned: CleanedManifest = Field(alias="view")  # what the version was made from

    def after(self, task: str, attempt: int, record: StageRecord) -> "VersionRecord":
        """The record of what the next task makes of this version."""
        return self.model_copy(update={"attempt": attempt, "stages": self.stages | {task: record}})


class FileCounts(State):
    """What became of a file's lines in one stage."""

    kept: int
    rejects: dict[str, int]


class InputFile(IngestedFile):
    """A landed file of a snapshot: how it was converted, and what `clean` made of its lines."""

    clean: FileCounts

    @property
    def all_rejects(self) -> Counter[str]:
        """By reason, of both stages."""
        return Counter(self.rejects) + Counter(self.clean.rejects)


class PublishedConfig(BaseModel):
    """The configuration of a snapshot, with the keys it had at that time."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    segment_map: SegmentMap


class RunRecord(Record):
    """What made a published snapshot."""

    as_of: date
    variant: str | None
    dag_run: str
    published_at: str
    config_hash: str
    fingerprint: str | None = None  # of all settings that decide the content; older snapshots have none
    config: PublishedConfig
    input_files: dict[str, InputFile]


def input_files(cleaned: CleanedManifest) -> dict[str, InputFile]:
    """The landed files of a snapshot, by name."""
    return {
        name: InputFile(
            **ingested.model_dump(),
            clean=FileCounts(kept=cleaned.files[name].kept, rejects=cleaned.files[name].rejects),
        )
        for name, ingested in cleaned.ingested.files.items()
    }


def read_version(link: Path) -> tuple[Path, VersionRecord]:
    """The version that a link of `rfm/` or `segments/` points to, and its record. Raises OutdatedError
    where there is none, or none that can be read."""
    version = link.resolve()
    return version, read_record(version, VersionRecord)


def read_run_record(folder: Path) -> RunRecord:
    """The record of a published snapshot. Raises OutdatedError where none can be read."""
    return read_record(folder, RunRecord)


def read_record(version: Path, model: type[S]) -> S:
    try:
        return read_state(version / RECORD, model)
    except FileNotFoundError:
        raise OutdatedError(f"{version} is not there yet", clear_from="ingest") from None
    except UnreadableError as error:
        raise OutdatedError(str(error), clear_from="ingest") from None


def read_commit_order(version: Path) -> tuple[int, int]:
    """The commit order of a version. One without a readable record is older than all others."""
    try:
        record = json.loads((version / RECORD).read_bytes())
        return int(record["listing"]), int(record.get("attempt", 0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return NO_ORDER
