"""Manifests: which batch holds the lines of each landed file.

A batch is a folder of Parquet files that never changes. It counts once a manifest names it. The manifest
of a stage is the file `view.json` beside its batches, and is replaced in one rename. The names of this
file and of some of its keys are older than the names in the code (`listing`, `sizes`, `large`): renaming
them would make every lake read its landing files again.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from datetime import date, datetime
from pathlib import Path
from typing import Generic, Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError

from include.errors import InputError, OutdatedError
from include.lake.paths import batch_folder
from include.lake.state import Stages, State, StateFile, UnreadableError, read_state
from include.landing.copies import Content, Unit
from include.landing.evidence import Notation
from include.landing.notation import Proof, notations, unproven
from include.shop_formats import DateOrder, Decimals, ShopFormat

MANIFEST = "view.json"
HUGE_NUMBER = re.compile(r"\d+e\d+")  # names that earlier code could give to a batch, see random_id


class FileEntry(State):
    """A landed file, and the batch that holds its lines."""

    batch: str


class ReadPart(State):
    """A part of a landed file, and how it was read."""

    name: str | None = None  # None: the file itself
    shop_format: str | None = None  # None: no line is the header of orders
    is_sheet: bool = False
    read_as: str  # for people
    date_order: DateOrder | None = None
    decimals: Decimals | None = None
    proofs: dict[str, int] = Field(default={})  # what its lines are evidence of: the first one

    @property
    def notation(self) -> Notation:
        return Notation(self.date_order, self.decimals)


class IngestedFile(FileEntry):
    """A converted file: how it was in `landing/`, and its lines."""

    size: int  # bytes
    modified: int  # nanoseconds since 1970
    sketch: str | None = None  # of how its content begins, see landing/copies.py
    sha256: str | None = None  # of its content, where another file begins alike
    members: list[Unit] | None = None  # the same of an archive with several members
    not_read: dict[str, str] | None = None  # what is in it and cannot be read, with the reason
    rows: int
    kept: int
    rejects: dict[str, int]  # by reason
    read_as: str | None = None  # for people; earlier code did not record it
    newest: datetime | None = None  # the latest invoice date of its kept lines
    cancellations_with_plus: int | None = None  # lines
    parts: list[ReadPart] | None = None  # earlier code did not record them
    values: dict[str, list[str]] | None = (
        None  # of the currency, and of columns that change what a line means
    )

    @property
    def identity(self) -> tuple[int, int]:
        return self.size, self.modified

    @property
    def content(self) -> Content:
        """What was in the file, for a comparison with other files."""
        alone = [Unit(None, self.size, self.sketch, self.sha256)] if self.sketch else []
        return Content(self.size, self.modified, tuple(self.members or alone))

    def with_content(self, content: Content, not_read: dict[str, str] | None) -> Self:
        """The same once somebody has looked into the file."""
        alone = content.units[0] if len(content.units) == 1 else None
        update = {
            "sketch": alone.sketch if alone else None,
            "sha256": alone.sha256 if alone else None,
            "members": list(content.units) if len(content.units) > 1 else None,
            "not_read": not_read,
        }
        return self.model_copy(update=update)


class InvoiceExample(State):
    """One of the invoices of a finding."""

    invoice_no: str
    older_file: str | None  # null where one file alone is doubtful
    file: str
    customers: tuple[str, str]  # the first and the last by text
    days: tuple[date, date]  # the first and the last


class InvoiceFinding(State):
    """What is doubtful about invoices of a file, alone or together with older files."""

    what: Literal["repeated", "several_customers", "far_apart", "other_folder", "other_format"]
    older_folder: str | None  # of the newest older file that has them
    invoices: int  # of which no older file was doubtful in the same way
    lines: int  # of this file
    alike: int  # of up to 1,000 repeated invoices: those with a product that the older file has, too
    example: InvoiceExample


class CleanedFile(FileEntry):
    """A cleaned file: the batch it was cleaned from, and what the rules made of its lines."""

    ingested_batch: str
    kept: int
    rejects: dict[str, int]  # by reason
    countries: list[str]  # of its orders
    needs_decimal: bool = Field(alias="large")  # an amount is beyond schemas.LARGEST_SCALED_AMOUNT
    orders: int | None = None  # earlier code did not record it
    findings: list[InvoiceFinding] | None = None


def proofs_of(files: Mapping[str, IngestedFile]) -> dict[Proof, Notation]:
    """What the parts of converted files are evidence of, and how they were read."""
    return {
        Proof(name, part.name, (part.shop_format, part.is_sheet), tuple(part.proofs.items())): part.notation
        for name, file in files.items()
        for part in file.parts or []
        if part.shop_format
    }


def read_by_proof(files: Mapping[str, IngestedFile], shops: Sequence[ShopFormat]) -> dict[str, IngestedFile]:
    """The files but for those whose dates or numbers only another file had proven, which is gone."""
    read = proofs_of(files)
    lost = unproven(read, notations(read, shops))
    return {name: file for name, file in files.items() if name not in lost}


E_co = TypeVar("E_co", bound=FileEntry, covariant=True)


class BatchedFiles(State, Generic[E_co]):
    """Landed files by name, in their batches."""

    files: dict[str, E_co] = Field(default={})
    files_in_batch: dict[str, int] = Field(default={}, alias="sizes")  # from how many files it was written

    @property
    def batches(self) -> set[str]:
        return {entry.batch for entry in self.files.values()}

    @property
    def whole_batches(self) -> set[str]:
        """The batches of which every file still counts. Other batches hold lines that do not count."""
        counted = Counter(entry.batch for entry in self.files.values())
        return {batch for batch, files in counted.items() if files == self.files_in_batch[batch]}

    def of(self, names: Collection[str]) -> Self:
        """The same with these files only."""
        return self.model_copy(update={"files": {name: self.files[name] for name in names}})

    def in_batches(self, batches: Set[str]) -> Self:
        """The same with the files of these batches only."""
        return self.of([name for name, entry in self.files.items() if entry.batch in batches])

    def lost_batches(self, stage: Path) -> set[str]:
        """The batches whose folder is gone, or has a name that Spark would take for a huge number."""
        return {
            batch
            for batch in self.batches
            if HUGE_NUMBER.fullmatch(batch) or not batch_folder(stage, batch).is_dir()
        }


class IngestedManifest(BatchedFiles[IngestedFile], StateFile):
    """What `ingest` has converted, and from which version of the landing folder."""

    landing_version: int = Field(default=0, alias="listing")
    stages: Stages = Field(default={})


class CleanedManifest(BatchedFiles[CleanedFile], StateFile):
    """What `clean` has cleaned, the batches of its orders, and the ingested files it was made from."""

    landing_version: int = Field(default=0, alias="listing")
    stages: Stages = Field(default={})
    orders: BatchedFiles[FileEntry] = BatchedFiles[FileEntry]()
    ingested: BatchedFiles[IngestedFile] = BatchedFiles[IngestedFile]()

    @property
    def countries(self) -> set[str]:
        return {name for entry in self.files.values() for name in entry.countries}

    @property
    def needs_decimal(self) -> bool:
        return any(entry.needs_decimal for entry in self.files.values())


class AnyEntry(BaseModel):
    """A file of a manifest of any age."""

    batch: str


class AnyFiles(BaseModel):
    files: dict[str, AnyEntry] = Field(default={})

    @property
    def batches(self) -> set[str]:
        return {entry.batch for entry in self.files.values()}


class AnyManifest(AnyFiles):
    """What manifests of all ages have in common: numbers and batches. Folders of earlier fingerprints stay,
    with the manifests that the code of their time wrote."""

    landing_version: int = Field(default=0, alias="listing")
    orders: AnyFiles | None = None  # at first the batches of lines had the same ids


M = TypeVar("M", IngestedManifest, CleanedManifest)
B = TypeVar("B", bound=BatchedFiles[FileEntry])


def read_manifest(stage: Path, model: type[M]) -> M | None:
    """The manifest of a stage; None before its first commit. Raises InputError for a damaged one."""
    try:
        return read_state(stage / MANIFEST, model)
    except FileNotFoundError:
        return None
    except UnreadableError as error:
        raise InputError(f"{error}; delete it, and the next run makes the stage again") from None


def read_ingested(stage: Path) -> IngestedManifest:
    """The manifest of a stage of ingested lines; an empty one before its first commit."""
    return read_manifest(stage, IngestedManifest) or IngestedManifest()


def read_cleaned(stage: Path) -> CleanedManifest:
    """The manifest of a stage of cleaned lines; an empty one before its first commit."""
    return read_manifest(stage, CleanedManifest) or CleanedManifest()


def read_any_manifest(stage: Path) -> AnyManifest:
    """The numbers and batches of a stage, whatever its age; none before its first commit. Raises InputError
    for a damaged manifest."""
    file = stage / MANIFEST
    try:
        return AnyManifest.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return AnyManifest()
    except ValidationError:
        raise InputError(
            f"{file} cannot be read; delete it, and the next run makes the stage again"
        ) from None


def ingested_now(files: BatchedFiles[IngestedFile], stage: Path) -> BatchedFiles[IngestedFile]:
    """The same ingested files, each in a batch that still exists. See in_existing_batches."""
    return in_existing_batches(files, read_ingested(stage), stage, lines_of_ingested)


def cleaned_now(files: CleanedManifest, stage: Path) -> CleanedManifest:
    """The same cleaned files, each in a batch that still exists. See in_existing_batches."""
    return in_existing_batches(files, read_cleaned(stage), stage, lines_of_cleaned)


def in_existing_batches(files: B, current: B, stage: Path, lines_of: Callable[[B, str], object]) -> B:
    """The same files, each in a batch that still exists: a concurrent run may have rewritten their lines.

    Raises OutdatedError for a file whose lines are gone. Either it was replaced or deleted, or other
    files now decide which of its lines are kept (where repeats are dropped).
    """
    lost, entries = files.lost_batches(stage), dict(files.files)
    for name, entry in files.files.items():
        if entry.batch not in lost:
            continue
        if name not in current.files or lines_of(files, name) != lines_of(current, name):
            raise OutdatedError(f"{name} has changed since this run started", clear_from="ingest")
        entries[name] = entry.model_copy(update={"batch": current.files[name].batch})
    sizes = files.files_in_batch | current.files_in_batch
    return files.model_copy(update={"files": entries, "files_in_batch": sizes})


def lines_of_ingested(files: BatchedFiles[IngestedFile], name: str) -> object:
    """Equal where a file has the same lines with the same outcome."""
    entry = files.files[name]
    return entry.identity, entry.kept, entry.rejects


def lines_of_cleaned(files: CleanedManifest, name: str) -> object:
    """Equal where a file has the same lines with the same outcome."""
    entry = files.files[name]
    return files.ingested.files[name].identity, entry.kept, entry.rejects
