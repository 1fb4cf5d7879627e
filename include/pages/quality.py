"""Data quality: the runs, the landed files of a snapshot, its rows by stage, and what was rejected."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Literal, get_args

from fastapi import HTTPException
from markupsafe import Markup

from include.lake.record import InputFile, RunRecord, read_run_record
from include.lake.state import all_warnings
from include.pages.chosen import Chosen, read_each
from include.pages.sorting import order_after_click, sort_column
from include.published import charts, time_charts
from include.published.catalog import SnapshotName
from include.published.customers import csv_lines
from include.published.files import header
from include.published.rejects import Sample, read_samples

SHOWN = 60  # runs in the table; the CSV file has all
FILES_ON_A_PAGE = 50
FileOrder = Literal["file", "modified", "bytes", "lines", "kept", "rejected"]
FILE_ORDERS: tuple[FileOrder, ...] = get_args(FileOrder)
RUN_COLUMNS = ["as_of", "dag_run", "published_at", "landed", "kept", "customers", "seconds", "warnings"]


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
    """A landed file of a snapshot. Its fields are the columns of its table."""

    file: str
    modified: datetime
    bytes: int
    lines: int
    kept: int
    rejected: int
    reasons: str  # of the rejects, the most first


@dataclass(frozen=True)
class Quality:
    record: RunRecord
    warnings: Sequence[str]
    not_counted: Mapping[str, str]  # landed files that are not counted, with the reason
    rejects: Sequence[tuple[str, int]]
    samples: Mapping[str, Sequence[Sample]]
    runs: Sequence[RunFacts]  # the newest first
    left_out: Mapping[SnapshotName, str]  # snapshots that cannot be read, with the reason
    chart: Markup


@dataclass(frozen=True)
class FilesPage:
    files: Sequence[FileFacts]
    order: str  # `-lines` is the longest first
    page: int
    pages: int
    total: int

    def sorted_by(self, column: str) -> str:
        return order_after_click(self.order, column)


def read_quality(chosen: Chosen) -> Quality:
    record = read_run_record(chosen.folder)
    runs, left_out = read_runs(chosen)
    not_counted = record.stages["ingest"].files_not_counted or {}
    return Quality(
        record=record,
        warnings=all_warnings(record.stages),
        not_counted=not_counted,
        rejects=all_rejects(record).most_common(),
        samples=samples_of(chosen.folder),
        runs=runs,
        left_out=left_out,
        chart=drawn(tuple((run.as_of, tuple(run.reject_shares.items())) for run in reversed(runs))),
    )


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
    chart = time_charts.rejects_over_time({day: dict(found) for day, found in shares})
    return Markup(charts.svg(chart))


def runs_csv(chosen: Chosen) -> Iterator[bytes]:
    yield header(RUN_COLUMNS)
    runs, _ = read_runs(chosen)
    yield csv_lines({column: getattr(run, column) for column in RUN_COLUMNS} for run in runs)


# -- landed files -------------------------------------------------------------------------------


def read_files_page(record: RunRecord, order: str, page: int) -> FilesPage:
    column = sort_column(order, FILE_ORDERS, "Files")
    files = sorted(
        (file_facts(name, file) for name, file in sorted(record.input_files.items())),
        key=lambda facts: getattr(facts, column),
        reverse=order.startswith("-"),
    )
    pages = max(1, -(-len(files) // FILES_ON_A_PAGE))
    if page > pages:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"The last page of files is {pages}.")
    shown = files[(page - 1) * FILES_ON_A_PAGE : page * FILES_ON_A_PAGE]
    return FilesPage(shown, order, page, pages, len(files))


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
    )


def files_csv(record: RunRecord) -> Iterator[bytes]:
    yield header(list(FileFacts.__dataclass_fields__))
    yield csv_lines(vars(file_facts(name, file)) for name, file in record.input_files.items())
