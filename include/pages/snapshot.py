"""The content of a published snapshot's page, and the files that the page links to."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from include.errors import OutdatedError
from include.lake.paths import Lake
from include.lake.record import RECORD, read_run_record
from include.pages.sorting import Column, Table, TablePage, View
from include.published.files import original_value
from include.published.tables import SEGMENT_SUMMARY

NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class PublishedFile:
    name: str
    size_bytes: int


@dataclass(frozen=True)
class SegmentSummary:
    """`segment_summary.csv` as text. An old snapshot may have other columns than today's."""

    columns: list[str]
    rows: list[list[str]]

    def shown(self, view: View) -> TablePage[list[str]]:
        columns = [self.column(place, name) for place, name in enumerate(self.columns)]
        return Table("summary", columns, alone=True).shown(view, self.rows)

    def column(self, place: int, name: str) -> Column[list[str]]:
        is_number = all(NUMBER.fullmatch(row[place]) for row in self.rows if row[place])
        read: Callable[[str], Decimal | str] = Decimal if is_number else str
        return Column(name, name.replace("_", " "), lambda row: read(row[place]) if row[place] else None)


@dataclass(frozen=True)
class Snapshot:
    as_of: date
    variant: str | None
    published_at: str
    dag_run: str
    summary: SegmentSummary
    files: list[PublishedFile]


def find_snapshot(lake: Lake, as_of: date, variant: str | None) -> Path | None:
    """The folder of a published snapshot, or None where the lake has none of that date and variant."""
    folder = lake.published(as_of, variant).resolve()
    # A link that leaves the published area would make any folder of the machine readable.
    is_published = (lake.root / "published").resolve() in folder.parents
    return folder if is_published and (folder / RECORD).is_file() else None


def find_file(folder: Path, name: str) -> Path | None:
    """A file of a snapshot by its name, or None where the snapshot has no such file."""
    # Compared with the names that are there, so that no name can lead out of the folder.
    return next((file for file in published_files(folder) if file.name == name), None)


def published_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def read_snapshot(folder: Path) -> Snapshot:
    """The content of the page. Raises OutdatedError when a file that it needs is missing or
    damaged."""
    record = read_run_record(folder)
    return Snapshot(
        as_of=record.as_of,
        variant=record.variant,
        published_at=record.published_at,
        dag_run=record.dag_run,
        summary=read_summary(folder / f"{SEGMENT_SUMMARY.name}.csv"),
        files=[PublishedFile(file.name, file.stat().st_size) for file in published_files(folder)],
    )


def read_summary(file: Path) -> SegmentSummary:
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            columns, *rows = [[original_value(text) for text in row] for row in csv.reader(stream)]
        if any(len(row) != len(columns) for row in rows):
            raise ValueError(f"{file} has rows of other lengths than its header")
    except (FileNotFoundError, ValueError, csv.Error) as error:  # ValueError: also not UTF-8, or empty
        raise OutdatedError(f"{file} is missing or damaged", clear_from="publish") from error
    return SegmentSummary(columns, rows)
