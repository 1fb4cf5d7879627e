"""What `ingest` and `clean` have to do: decided from the landing folder and the manifests, without Spark.

The jobs carry a plan out. The operator asks for the same plan, and does not start Java where nothing is
to be done (lake/skip.py).
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from include.errors import InputError, OutdatedError
from include.lake.deliveries import delivery_order
from include.lake.manifest import (
    BatchedFiles,
    CleanedFile,
    CleanedManifest,
    FileEntry,
    IngestedFile,
    IngestedManifest,
    InvoiceFinding,
    read_by_proof,
    read_cleaned,
    read_ingested,
    read_manifest,
)
from include.lake.paths import Lake
from include.lake.state import Execution
from include.landing.copies import Content, copies, with_digests
from include.landing.files import LandedFile, landed_files, nothing_to_read, still_written, unreadable
from include.landing.parts import contents_of
from include.settings import Segmentation

MOST_ORDER_BATCHES = 30  # each run that finds new files adds one, and `rfm` opens all of them


# -- ingest -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LandingFolder:
    """What is in a landing folder, and what of it counts."""

    landed: list[LandedFile]
    contents: dict[str, Content]  # of the files that count, in the order of `landed`
    not_read: dict[str, dict[str, str]]  # by file: what is in it and cannot be read, with the reason
    not_counted: dict[str, str]  # by name, with the reason

    @property
    def counted(self) -> list[LandedFile]:
        return [file for file in self.landed if file.name in self.contents]


@dataclass(frozen=True)
class IngestPlan:
    """What to convert, and what counts then."""

    lake: Lake
    stage: Path
    landing_version: int
    there: LandingFolder
    converted: dict[str, IngestedFile]  # the files that count and are converted already
    gone: dict[str, int]  # the files of the run before that are gone: by name, the lines they had kept
    files_in_batch: dict[str, int]

    @property
    def new(self) -> list[LandedFile]:
        """The files to convert."""
        return [file for file in self.there.counted if file.name not in self.converted]

    @property
    def warnings(self) -> list[str]:
        not_counted = [f"not counted: {name} {why}" for name, why in self.there.not_counted.items()]
        gone = [
            f"gone since the run before: {name} with {lines:,} lines that counted"
            for name, lines in self.gone.items()
        ]
        return not_counted + gone

    def manifest(self, conversion: BatchedFiles[IngestedFile], execution: Execution) -> IngestedManifest:
        """The manifest once the new files are converted, with the record of `ingest`.

        Raises InputError when no file has a line.
        """
        converted = self.converted | conversion.files
        files = {
            name: converted[name].with_content(content, self.there.not_read.get(name))
            for name, content in self.there.contents.items()
        }
        rows = sum(entry.rows for entry in files.values())
        if not rows:
            raise InputError(f"{self.lake.landing}: no landed file has a line below its header")
        record = execution.record(
            rows,
            sum(entry.kept for entry in files.values()),
            sum_of_rejects(files),
            files_landed=len(self.there.landed),
            files_converted=len(self.new),
            files_not_counted=dict(sorted(self.there.not_counted.items())),
            files_gone=self.gone,
        )
        return IngestedManifest(
            files=files,
            files_in_batch=self.files_in_batch | conversion.files_in_batch,
            landing_version=self.landing_version,
            stages={"ingest": record},
        )


def plan_ingest(
    lake: Lake, settings: Segmentation, landing_version: int, settle_seconds: float
) -> IngestPlan:
    """What `ingest` has to do with the landing folder as it is now. Waits `settle_seconds` when a file was
    modified more recently. Raises InputError without a landed file.

    A file is known by its name, size and modification time. A new or changed one is converted, unless it
    is being written or may not be read: then it is not counted, or is counted as it was before. Of files
    with the same content the first by path counts.
    """
    stage = lake.ingested(settings.ingest_fingerprint)
    manifest = read_ingested(stage)
    known = known_files(manifest, stage, settings)
    there = look_at(lake.landing, known, settle_seconds)
    return IngestPlan(
        lake=lake,
        stage=stage,
        landing_version=landing_version,
        there=there,
        converted={
            name: known[name] for name, content in there.contents.items() if is_as_known(name, content, known)
        },
        gone=gone_files(manifest, there.contents.keys() | there.not_counted.keys()),
        files_in_batch=manifest.files_in_batch,
    )


def look_at(landing: Path, known: Mapping[str, IngestedFile], settle_seconds: float) -> LandingFolder:
    """Look at a landing folder, of which some files are known. Raises InputError without a file that can be
    read."""
    entries, others = landed_files(landing)
    fresh = [file for file in entries if file.name not in known or known[file.name].identity != file.identity]
    new = look_into(fresh, settle_seconds)
    landed = [file for file in entries if file.name not in new.refused]
    if not landed:
        raise nothing_to_read(f"landing folder {landing}", others | new.refused)
    contents = with_digests(dict(counted_contents(landed, known, new.waiting)), landed)
    same = copies(contents)
    counted = {name: content for name, content in contents.items() if name not in same}
    not_read = {
        name: known[name].not_read or {}
        for name, content in counted.items()
        if is_as_known(name, content, known) and known[name].not_read
    }
    not_read |= {name: found for name, found in new.not_read.items() if name in counted}
    not_counted = others | new.not_counted(known) | reasons(not_read, same)
    return LandingFolder(landed, counted, not_read, not_counted)


def known_files(manifest: IngestedManifest, stage: Path, settings: Segmentation) -> dict[str, IngestedFile]:
    """The converted files whose lines are still there, and were read as they would be now."""
    lost = manifest.lost_batches(stage)
    there = {name: entry for name, entry in manifest.files.items() if entry.batch not in lost}
    return read_by_proof(there, settings.landing.formats)


def is_as_known(name: str, content: Content, known: Mapping[str, IngestedFile]) -> bool:
    return name in known and known[name].identity == content.identity


@dataclass(frozen=True)
class NewFiles:
    """What the new and changed files are like, before they are read."""

    waiting: dict[str, str]  # not to be read now, with the reason
    refused: dict[str, str]  # without a part that could be read, with the reason
    not_read: dict[str, dict[str, str]]  # by file: which parts of it cannot be read, with the reason

    def not_counted(self, known: Mapping[str, IngestedFile]) -> dict[str, str]:
        """The files that are not read. One that waits and was known before counts as it was."""
        as_before = {
            name: f"{why}; counted as it was before" if name in known else why
            for name, why in self.waiting.items()
        }
        return as_before | self.refused


def look_into(files: Sequence[LandedFile], settle_seconds: float) -> NewFiles:
    waiting = unreadable(files) | still_written(files, settle_seconds)
    opened = {file.name: contents_of(file) for file in files if file.name not in waiting}
    return NewFiles(
        waiting=waiting,
        refused={name: found.refused[name] for name, found in opened.items() if not found.parts},
        not_read={name: found.refused for name, found in opened.items() if found.parts and found.refused},
    )


def reasons(not_read: Mapping[str, Mapping[str, str]], same: Mapping[str, str]) -> dict[str, str]:
    """Why parts of files, and files with the same content as another one, are not counted."""
    inside = {name: why for parts in not_read.values() for name, why in parts.items()}
    return inside | {name: f"has the same content as {first}" for name, first in same.items()}


def gone_files(manifest: IngestedManifest, there: Set[str]) -> dict[str, int]:
    """The files that counted in the run before and are not there any more, with the lines they had kept."""
    return {name: entry.kept for name, entry in sorted(manifest.files.items()) if name not in there}


def counted_contents(
    landed: list[LandedFile], known: Mapping[str, IngestedFile], waiting: Mapping[str, str]
) -> Iterator[tuple[str, Content]]:
    """The content with which each landed file counts; none for one that waits and was not known before."""
    for file in landed:
        entry = known.get(file.name)
        if entry and (file.name in waiting or entry.identity == file.identity):
            yield file.name, entry.content
        elif file.name not in waiting:
            yield file.name, Content(file.size, file.modified)


# -- clean --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CleanPlan:
    """Which ingested files to put through the rules, and what is cleaned already."""

    stage: Path
    orders_stage: Path
    ingested_stage: Path
    ingested: IngestedManifest
    new: list[str]  # the files to clean
    to_compare: list[str]  # the files whose invoices to compare with those of older files
    cleaned: BatchedFiles[CleanedFile]  # the files that are cleaned and still there
    orders: BatchedFiles[FileEntry]  # the batches of their orders

    @property
    def new_files(self) -> BatchedFiles[IngestedFile]:
        """The files to clean, in the batches they were ingested in."""
        return self.ingested.of(self.new)

    @property
    def is_done(self) -> bool:
        """Whether Spark has nothing to do."""
        return not self.new and not self.to_compare and not has_many_batches(self.orders_with({}))

    def orders_with(self, new: Mapping[str, str]) -> BatchedFiles[FileEntry]:
        """The batches of all orders, with those of newly cleaned files: file name -> batch."""
        entries = self.orders.files | {name: FileEntry(batch=batch) for name, batch in new.items()}
        files = {name: entries[name] for name in self.ingested.files}
        return BatchedFiles(files=files, files_in_batch=self.orders.files_in_batch | Counter(new.values()))

    def manifest(
        self,
        cleaning: Mapping[str, CleanedFile],
        orders: BatchedFiles[FileEntry],
        findings: Mapping[str, list[InvoiceFinding]],
        execution: Execution,
    ) -> CleanedManifest:
        """The manifest once the new files are cleaned, with the record of `clean`. `findings` has those of
        the files to compare."""
        entries = {**self.cleaned.files, **cleaning}
        for name in self.to_compare:
            entries[name] = entries[name].model_copy(update={"findings": findings.get(name)})
        files = {name: entries[name] for name in self.ingested.files}
        record = execution.record(
            sum(entry.kept for entry in self.ingested.files.values()),
            sum(entry.kept for entry in files.values()),
            sum_of_rejects(files),
            files_cleaned=len(self.new),
        )
        new_batches = Counter(entry.batch for entry in cleaning.values())
        return CleanedManifest(
            files=files,
            files_in_batch=self.cleaned.files_in_batch | new_batches,
            landing_version=self.ingested.landing_version,
            stages=self.ingested.stages | {"clean": record},
            orders=orders,
            ingested=BatchedFiles(files=self.ingested.files, files_in_batch=self.ingested.files_in_batch),
        )


def plan_clean(lake: Lake, settings: Segmentation) -> CleanPlan:
    """What `clean` has to do with the ingested files as they are now. Files whose lines or orders were lost
    from the lake are cleaned again. Raises OutdatedError before the first run of `ingest`."""
    stage, orders_stage = lake.cleaned(settings.clean_fingerprint), lake.orders(settings.clean_fingerprint)
    ingested_stage = lake.ingested(settings.ingest_fingerprint)
    ingested, current = read_manifest(ingested_stage, IngestedManifest), read_cleaned(stage)
    if ingested is None:
        raise OutdatedError(f"{lake.root} has no ingested lines for these settings", clear_from="ingest")
    lost, lost_orders = current.lost_batches(stage), current.orders.lost_batches(orders_stage)
    known = [
        name
        for name, entry in current.files.items()
        if entry.batch not in lost and current.orders.files[name].batch not in lost_orders
    ]
    cleaned = current.of(known)
    new = files_to_clean(ingested, cleaned, across_files=settings.compares_files)
    return CleanPlan(
        stage=stage,
        orders_stage=orders_stage,
        ingested_stage=ingested_stage,
        ingested=ingested,
        new=new,
        to_compare=files_to_compare(ingested.files, current.files, new),
        cleaned=cleaned,
        orders=current.orders.of(known),
    )


def files_to_clean(
    ingested: BatchedFiles[IngestedFile], cleaned: BatchedFiles[CleanedFile], *, across_files: bool
) -> list[str]:
    """The ingested files whose lines have not been through the rules yet. Where a rule compares the lines
    of several files, any change means all of them."""
    from_batch = {name: entry.ingested_batch for name, entry in cleaned.files.items()}
    new = [name for name, entry in ingested.files.items() if from_batch.get(name) != entry.batch]
    if across_files and (new or ingested.files.keys() != cleaned.files.keys()):
        return list(ingested.files)
    return new


def files_to_compare(
    ingested: Mapping[str, IngestedFile], cleaned: Mapping[str, CleanedFile], new: Collection[str]
) -> list[str]:
    """The files whose invoices have to be compared with those of older files: new ones, those that are newer
    than a new one, and those with findings once a file is gone or replaced, which they may name."""
    oldest_new = min((delivery_order(name, ingested[name]) for name in new), default=None)
    has_lost = any(name not in ingested or name in new for name in cleaned)
    return [
        name
        for name, file in ingested.items()
        if (oldest_new and delivery_order(name, file) >= oldest_new) or (has_lost and cleaned[name].findings)
    ]


def has_many_batches(orders: BatchedFiles[FileEntry]) -> bool:
    """Whether orders are in so many batches that `rfm` would spend its time on opening files."""
    return len(orders.batches) > MOST_ORDER_BATCHES


def sum_of_rejects(files: Mapping[str, IngestedFile] | Mapping[str, CleanedFile]) -> dict[str, int]:
    """Rejected lines by reason, over all files."""
    total: Counter[str] = Counter()
    for entry in files.values():
        total.update(entry.rejects)
    return dict(sorted(total.items()))
