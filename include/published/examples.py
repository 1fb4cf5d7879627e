"""A line of the landed files that shows why a snapshot is refused, found without Spark."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path

import polars as pl

from include.lake.manifest import BatchedFiles, CleanedManifest, IngestedFile
from include.lake.paths import batch_folder
from include.landing.files import LandedFile, identity
from include.landing.formats import utf_16_encoding
from include.landing.line_types import CANCELLATION, KEPT, LINE_TYPE_FOLDER, REJECTED
from include.landing.parts import Part, UpToDamage, head_of, open_part, parts_of


@dataclass(frozen=True)
class Only:
    """A column with several values, of which one may count."""

    column: str
    value: str
    other: str


@dataclass(frozen=True)
class Refusal:
    """A gate that a snapshot does not pass."""

    problem: str  # a sentence without its full stop
    file: str | None  # the landed file that shows it
    about: str  # a reject reason; `currency`; `date` or `amount` for a law of results
    share: float = 0.0  # of the lines that are rejected for the reason
    customer_id: str | None = None
    only: Only | None = None


@dataclass(frozen=True)
class Example:
    """A line as it was landed, and how it was read."""

    file: str
    line: int
    raw: str
    invoice_no: str | None = None
    read_as: str | None = None
    modified: date | None = None  # the day on which its file was
    part: str | None = None  # of the file


def read_example(
    refusal: Refusal, cleaned: CleanedManifest, stages: tuple[Path, Path], landing: Path
) -> Example | None:
    """The line that shows a refusal; None where it cannot be found any more. `stages` has the lines of
    `ingest` and of `clean`."""
    ingested, _ = stages
    if refusal.only and refusal.file:
        found = line_with(landing, refusal.file, refusal.only.other)
    elif refusal.file is None:
        batches = sorted(batch_folder(ingested, batch) for batch in cleaned.ingested.batches)
        found = first_of(cancelled_line(batch, refusal.customer_id or "") for batch in batches)
    else:
        names = cleaned.ingested.files[refusal.file].batch, cleaned.files[refusal.file].batch
        batches = [batch_folder(stage, name) for stage, name in zip(stages, names, strict=True)]
        if refusal.about == "date":
            found = newest_line(batches[0], refusal.file)
        else:
            found = first_of(rejected_line(batch, refusal.file, refusal.about) for batch in batches)
    return with_file(found, cleaned.ingested, landing) if found else None


def first_of(found: Iterable[Example | None]) -> Example | None:
    return next((line for line in found if line), None)


def with_file(line: Example, files: BatchedFiles[IngestedFile], landing: Path) -> Example:
    """The line, with what is known of its file. The lake does not store the text of kept lines."""
    entry = files.files[line.file]
    modified = datetime.fromtimestamp(entry.modified // 10**9, UTC).date()
    raw = line.raw or landed_text(landing / line.file, line)
    return replace(line, raw=raw, read_as=entry.read_as, modified=modified)


# -- in the landed file -------------------------------------------------------------------------


def parts_now(file: Path) -> list[Part]:
    """The parts of a landed file; none of one that is gone."""
    try:
        return parts_of(LandedFile(file, file.name, *identity(file)))
    except OSError:
        return []


def text_lines(part: Part) -> Iterator[str]:
    """The lines of a part, up to a damage."""
    encoding = utf_16_encoding(head_of(part)) or "utf-8"
    stream = io.BufferedReader(UpToDamage(open_part(part)))
    with io.TextIOWrapper(stream, encoding, errors="replace") as text:
        yield from text


def landed_text(file: Path, line: Example) -> str:
    """The text of a line as it was landed."""
    found = [text_lines(part) for part in parts_now(file) if part.name == line.part]
    return next(islice(found[0], line.line - 1, None), "") if found else ""


def line_with(landing: Path, file: str, text: str) -> Example | None:
    """The first line of a landed file with a text."""
    for part in parts_now(landing / file):
        for number, line in enumerate(text_lines(part), 1):
            if text in line:
                return Example(file, number, line, part=part.name)
    return None


# -- in the lake --------------------------------------------------------------------------------


def rejected_line(batch: Path, file: str, reason: str) -> Example | None:
    """The first line of a file that was rejected for a reason; None where the batch has none."""
    found = [
        lines.filter(pl.col("file") == file, pl.coalesce("reason", pl.lit(line_type)) == reason)
        for line_type, lines in lines_of(batch, REJECTED)
    ]
    return first(found, "line")


def newest_line(batch: Path, file: str) -> Example | None:
    """The kept line of a file with the latest date."""
    found = [
        lines.filter(pl.col("file") == file, pl.col("invoice_date").is_not_null())
        for _, lines in lines_of(batch, KEPT)
    ]
    return first(found, "invoice_date", descending=True)


def cancelled_line(batch: Path, customer_id: str) -> Example | None:
    """A line by which a customer has taken back something with a plus."""
    found = [
        lines.filter(pl.col("customer_id") == customer_id, pl.col("quantity") > 0)
        for line_type, lines in lines_of(batch, KEPT)
        if line_type == CANCELLATION
    ]
    return first(found, "line")


def lines_of(batch: Path, outcome: str) -> Iterator[tuple[str, pl.LazyFrame]]:
    """The line types of a batch, and the lines of each Parquet file."""
    for path in sorted(batch.glob(f"outcome={outcome}/{LINE_TYPE_FOLDER}=*/*.parquet")):
        yield path.parent.name.partition("=")[2], pl.scan_parquet(path, glob=False)


def first(lines: list[pl.LazyFrame], column: str, *, descending: bool = False) -> Example | None:
    """The first of the lines by a column."""
    columns = list(dict.fromkeys(["file", "part", "line", "raw", "invoice_no", column]))
    parts = [part.select(columns).sort(column, descending=descending).head(1) for part in lines]
    if not parts:
        return None
    rows = pl.concat(parts).sort(column, descending=descending).head(1).collect()
    if rows.is_empty():
        return None
    row = rows.row(0, named=True)
    return Example(row["file"], row["line"], row["raw"] or "", row["invoice_no"], part=row["part"])
