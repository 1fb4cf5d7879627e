"""What `ingest` and `clean` have to do: decided from the landing folder and the manifests, without Spark.

The jobs carry a plan out. The operator asks for the same plan, and does not start Java where nothing is
to be done (lake/skip.py).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from include.errors import InputError, OutdatedError
from include.lake.manifest import (
    BatchedFiles,
    CleanedFile,
    CleanedManifest,
    FileEntry,
    IngestedFile,
    IngestedManifest,
    read_cleaned,
    read_ingested,
    read_manifest,
)
from include.lake.paths import Lake
from include.lake.state import Execution
from include.landing.files import (
    Content,
    LandedFile,
    copies,
    landed_files,
    still_written,
    unreadable,
    with_digests,
)
from include.settings import Segmentation

MOST_ORDER_BATCHES = 30  # each run that finds new files adds one, and `rfm` opens all of them


# -- ingest -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class IngestPlan:
    """What to convert, and what counts then."""

    lake: Lake
    stage: Path
    landing_version: int
    landed: list[LandedFile]
    contents: dict[str, Content]  # of the files that count, in the order of `landed`
    converted: dict[str, IngestedFile]  # the files that count and are converted already
    not_counted: dict[str, str]  # by name, with the reason
    files_in_batch: dict[str, int]

    @property
    def new(self) -> list[LandedFile]:
        """The files to convert."""
        names = self.contents.keys() - self.converted.keys()
        return [file for file in self.landed if file.name in names]

    @property
    def warnings(self) -> list[str]:
        return [f"not counted: {name} {why}" for name, why in self.not_counted.items()]

    def manifest(self, conversion: BatchedFiles[IngestedFile], execution: Execution) -> IngestedManifest:
        """The manifest once the new files are converted, with the record of `ingest`.

        Raises InputError when no file has a line.
        """
        converted = self.converted | conversion.files
        files = {
            name: converted[name].model_copy(update={"sha256": content.sha256})
            for name, content in self.contents.items()
        }
        rows = sum(entry.rows for entry in files.values())
        if not rows:
            raise InputError(f"{self.lake.landing}: no landed file has a line below its header")
        record = execution.record(
            rows,
            sum(entry.kept for entry in files.values()),
            sum_of_rejects(files),
            files_landed=len(self.landed),
            files_converted=len(self.new),
            files_not_counted=dict(sorted(self.not_counted.items())),
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
    landed, not_counted = landed_files(lake.landing)
    manifest = read_ingested(stage)
    lost = manifest.lost_batches(stage)
    known = {name: entry for name, entry in manifest.files.items() if entry.batch not in lost}
    fresh = [file for file in landed if file.name not in known or known[file.name].identity != file.identity]
    waiting = unreadable(fresh) | still_written(fresh, settle_seconds)
    contents = with_digests(dict(counted_contents(landed, known, waiting)), landed)
    same = copies(contents)
    as_before = {name: f"{why}; counted as it was before" for name, why in waiting.items() if name in known}
    repeated = {name: f"has the same content as {first}" for name, first in same.items()}
    counted = {name: content for name, content in contents.items() if name not in same}
    return IngestPlan(
        lake=lake,
        stage=stage,
        landing_version=landing_version,
        landed=landed,
        contents=counted,
        converted={
            name: known[name]
            for name, content in counted.items()
            if name in known and known[name].identity == content.identity
        },
        not_counted=not_counted | waiting | as_before | repeated,
        files_in_batch=manifest.files_in_batch,
    )


def counted_contents(
    landed: list[LandedFile], known: Mapping[str, IngestedFile], waiting: Mapping[str, str]
) -> Iterator[tuple[str, Content]]:
    """The content with which each landed file counts; none for one that waits and was not known before."""
    for file in landed:
        entry = known.get(file.name)
        if entry and (file.name in waiting or entry.identity == file.identity):
            yield file.name, Content(entry.size, entry.modified, entry.sha256)
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
    cleaned: BatchedFiles[CleanedFile]  # the files that are cleaned and still there
    orders: BatchedFiles[FileEntry]  # the batches of their orders

    @property
    def new_files(self) -> BatchedFiles[IngestedFile]:
        """The files to clean, in the batches they were ingested in."""
        return self.ingested.of(self.new)

    @property
    def is_done(self) -> bool:
        """Whether Spark has nothing to do."""
        return not self.new and not has_many_batches(self.orders_with({}))

    def orders_with(self, new: Mapping[str, str]) -> BatchedFiles[FileEntry]:
        """The batches of all orders, with those of newly cleaned files: file name -> batch."""
        entries = self.orders.files | {name: FileEntry(batch=batch) for name, batch in new.items()}
        files = {name: entries[name] for name in self.ingested.files}
        return BatchedFiles(files=files, files_in_batch=self.orders.files_in_batch | Counter(new.values()))

    def manifest(
        self,
        cleaning: Mapping[str, CleanedFile],
        orders: BatchedFiles[FileEntry],
        execution: Execution,
    ) -> CleanedManifest:
        """The manifest once the new files are cleaned, with the record of `clean`."""
        entries = {**self.cleaned.files, **cleaning}
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
    return CleanPlan(
        stage=stage,
        orders_stage=orders_stage,
        ingested_stage=ingested_stage,
        ingested=ingested,
        new=files_to_clean(ingested, cleaned, drop_repeats=settings.duplicates == "drop"),
        cleaned=cleaned,
        orders=current.orders.of(known),
    )


def files_to_clean(
    ingested: BatchedFiles[IngestedFile], cleaned: BatchedFiles[CleanedFile], *, drop_repeats: bool
) -> list[str]:
    """The ingested files whose lines have not been through the rules yet. Dropping repeats compares lines
    across files, so with it any change means all of them."""
    from_batch = {name: entry.ingested_batch for name, entry in cleaned.files.items()}
    new = [name for name, entry in ingested.files.items() if from_batch.get(name) != entry.batch]
    if drop_repeats and (new or ingested.files.keys() != cleaned.files.keys()):
        return list(ingested.files)
    return new


def has_many_batches(orders: BatchedFiles[FileEntry]) -> bool:
    """Whether orders are in so many batches that `rfm` would spend its time on opening files."""
    return len(orders.batches) > MOST_ORDER_BATCHES


def sum_of_rejects(files: Mapping[str, IngestedFile] | Mapping[str, CleanedFile]) -> dict[str, int]:
    """Rejected lines by reason, over all files."""
    total: Counter[str] = Counter()
    for entry in files.values():
        total.update(entry.rejects)
    return dict(sorted(total.items()))
