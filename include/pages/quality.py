"""Data quality: the runs, the landed files of a snapshot, its rows by stage, and what was rejected."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from include.lake.record import InputFile, RunRecord, read_run_record
from include.lake.state import StageRecord, all_warnings
from include.pages.chosen import Chosen, read_each
from include.pages.live_charts import figure
from include.pages.sorting import Column, Table, TablePage, View, file_of
from include.published import time_charts
from include.published.catalog import SnapshotName
from include.published.rejects import Sample, read_samples


@dataclass(frozen=True)
class RunFacts:
    """What one run made, as far as the table of all runs shows it."""

    as_of: date
    dag_run: str
    published_at: str
    landed: int
    kept: int
    customers: int
    seconds: float
    warnings: int
    rejects: Mapping[str, int]

    @property
    def reject_shares(self) -> dict[str, float]:
        return {reason: lines / max(self.landed, 1) for reason, lines in self.rejects.items()}


@dataclass(frozen=True)
class FileFacts:
    """A landed file of a snapshot."""

    file: str
    modified: datetime
    bytes: int
    lines: int
    kept: int
    rejected: int
    reasons: str  # of the rejects, the most first
    read_as: str | None


@dataclass(frozen=True)
class Reject:
    """Why lines were rejected."""

    reason: str
    lines: int
    share: float | None  # of the landed lines
    samples: Sequence[Sample]


Stage = tuple[str, StageRecord]  # a task, and what it did
STAGES = Table[Stage](
    "stages",
    [
        Column("task", "task", lambda stage: stage[0]),
        Column("rows_in", "in", lambda stage: stage[1].rows_in),
        Column("rejected", "rejected", lambda stage: sum(stage[1].rejects.values())),
        Column("rows_out", "out", lambda stage: stage[1].rows_out),
        Column("seconds", "seconds", lambda stage: stage[1].seconds),
        Column("started", "started", lambda stage: stage[1].started),
    ],
)
REJECTS = Table[Reject](
    "rejects",
    [
        Column("reason", "reason", lambda reject: reject.reason),
        Column("lines", "lines", lambda reject: reject.lines),
        Column("share", "share", lambda reject: reject.share),
        Column(
            "example",
            "for example",
            lambda reject: reject.samples[0].raw if reject.samples else None,
            style="words",
        ),
    ],
    start="-lines",
)
FILES = Table[FileFacts](
    "files",
    [
        Column("file", "file", lambda file: file.file),
        Column("modified", "landed (UTC)", lambda file: file.modified),
        Column("bytes", "bytes", lambda file: file.bytes),
        Column("lines", "lines", lambda file: file.lines),
        Column("kept", "kept", lambda file: file.kept),
        Column("rejected", "rejected", lambda file: file.rejected),
        Column("reasons", "reasons", lambda file: file.reasons, style="left"),
        Column("read_as", "read as", lambda file: file.read_as, style="left"),
    ],
    start="-modified",
)
RUNS = Table[RunFacts](
    "runs",
    [
        Column("as_of", "as of", lambda run: run.as_of),
        Column("landed", "landed", lambda run: run.landed),
        Column("kept", "kept", lambda run: run.kept),
        Column("customers", "customers", lambda run: run.customers),
        Column("seconds", "seconds", lambda run: run.seconds),
        Column("warnings", "warnings", lambda run: run.warnings),
        Column("published_at", "published", lambda run: run.published_at, style="left"),
        Column("dag_run", "run", lambda run: run.dag_run, style="left"),
    ],
    start="-as_of",
)


@dataclass(frozen=True)
class Quality:
    record: RunRecord
    warnings: Sequence[str]
    not_counted: Mapping[str, str]  # landed files that are not counted, with the reason
    gone: Mapping[str, int]  # the files that are gone since the run before, with the lines they had kept
    stages: TablePage[Stage]
    rejects: TablePage[Reject]
    files: TablePage[FileFacts]
    runs: TablePage[RunFacts]
    left_out: Mapping[SnapshotName, str]  # snapshots that cannot be read, with the reason
    chart: Markup


def read_quality(chosen: Chosen, view: View) -> Quality:
    record = read_run_record(chosen.folder)
    runs, left_out = read_runs(chosen)
    ingest = record.stages["ingest"]
    return Quality(
        record=record,
        warnings=all_warnings(record.stages),
        not_counted=ingest.files_not_counted or {},
        gone=ingest.files_gone or {},
        stages=STAGES.shown(view, list(record.stages.items())),
        rejects=REJECTS.shown(view, rejects_of(record, chosen.folder)),
        files=FILES.shown(view, files_of(record)),
        runs=RUNS.shown(view, runs),
        left_out=left_out,
        chart=drawn(tuple((run.as_of, tuple(run.reject_shares.items())) for run in reversed(runs))),
    )


def quality_csv(chosen: Chosen, view: View, name: str) -> Iterator[bytes]:
    """One of the tables, whole."""
    record = read_run_record(chosen.folder)
    files = {
        "stages": lambda: STAGES.csv(view, list(record.stages.items())),
        "rejects": lambda: REJECTS.csv(view, rejects_of(record, chosen.folder)),
        "files": lambda: FILES.csv(view, files_of(record)),
        "runs": lambda: RUNS.csv(view, read_runs(chosen)[0]),
    }
    return file_of(name, files)


def rejects_of(record: RunRecord, folder: Path) -> list[Reject]:
    landed, samples = record.stages["ingest"].rows_in, samples_of(folder)
    return [
        Reject(reason, lines, lines / landed if landed else None, samples.get(reason, []))
        for reason, lines in all_rejects(record).items()
    ]


def all_rejects(record: RunRecord) -> Counter[str]:
    """Rejected lines of all tasks, by reason."""
    return sum((Counter(stage.rejects) for stage in record.stages.values()), Counter[str]())


def read_runs(chosen: Chosen) -> tuple[list[RunFacts], dict[SnapshotName, str]]:
    """The runs behind all snapshots of the variant, the newest first, and those that cannot be read."""
    runs, left_out = read_each(chosen.alike, lambda folder, name: read_facts(folder, name.as_of))
    return list(runs.values()), left_out


# A version of a snapshot never changes, and its run.json has every landed file.
@lru_cache(maxsize=2000)
def read_facts(folder: Path, as_of: date) -> RunFacts:
    record = read_run_record(folder)
    return RunFacts(
        as_of=as_of,
        dag_run=record.dag_run,
        published_at=record.published_at,
        landed=record.stages["ingest"].rows_in,
        kept=record.stages["clean"].rows_out,
        customers=record.stages["publish"].rows_out,
        seconds=round(sum(stage.seconds for stage in record.stages.values()), 1),
        warnings=len(all_warnings(record.stages)),
        rejects=all_rejects(record),
    )


samples_of = lru_cache(maxsize=16)(read_samples)


@lru_cache(maxsize=8)
def drawn(shares: tuple[tuple[date, tuple[tuple[str, float], ...]], ...]) -> Markup:
    return figure(time_charts.rejects_over_time({day: dict(found) for day, found in shares}))


def files_of(record: RunRecord) -> list[FileFacts]:
    return [file_facts(name, file) for name, file in sorted(record.input_files.items())]


def file_facts(name: str, file: InputFile) -> FileFacts:
    rejects = file.all_rejects
    return FileFacts(
        file=name,
        modified=datetime.fromtimestamp(file.modified // 10**9, UTC),
        bytes=file.size,
        lines=file.rows,
        kept=file.clean.kept,
        rejected=rejects.total(),
        reasons=", ".join(f"{reason.replace('_', ' ')} {lines:,}" for reason, lines in rejects.most_common()),
        read_as=file.read_as,
    )
