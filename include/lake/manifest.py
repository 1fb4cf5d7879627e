"""Manifests: which batch holds the lines of each landed file.

A batch is a folder of Parquet files that never changes. It counts once a manifest names it. The manifest
of a stage is the file `view.json` beside its batches, and is replaced in one rename. The names of this
file and of some of its keys are older than the names in the code (`listing`, `sizes`, `large`): renaming
them would make every lake read its landing files again.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Set
from pathlib import Path
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError

from include.errors import InputError, OutdatedError
from include.lake.paths import batch_folder
from include.lake.state import Stages, State, StateFile, UnreadableError, read_state

MANIFEST = "view.json"
HUGE_NUMBER = re.compile(r"\d+e\d+")  # names that earlier code could give to a batch, see random_id


class FileEntry(State):
    """A landed file, and the batch that holds its lines."""

    batch: str


class IngestedFile(FileEntry):
    """A converted file: how it was in `landing/`, and its lines."""

    size: int  # bytes
    modified: int  # nanoseconds since 1970
    sha256: str | None = None  # where another file has the same size
    rows: int
    kept: int
    rejects: dict[str, int]  # by reason
    read_as: str | None = None  # for people; earlier code did not record it

    @property
    def identity(self) -> tuple[int, int]:
        return self.size, self.modified


class CleanedFile(FileEntry):
    """A cleaned file: the batch it was cleaned from, and what the rules made of its lines."""

    ingested_batch: str
    kept: int
    rejects: dict[str, int]  # by reason
    countries: list[str]  # of its orders
    needs_decimal: bool = Field(alias="large")  # an amount is beyond schemas.LARGEST_SCALED_AMOUNT


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
