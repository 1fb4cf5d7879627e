"""Results of jobs, made without them: manifest entries, and versions with a text in them."""

from datetime import date
from pathlib import Path

from include.lake.commit import attempt, commit_version
from include.lake.manifest import CleanedFile, IngestedFile
from include.lake.paths import Lake
from include.lake.record import Record

DAY = date(2011, 12, 10)


def ingested_file(batch: str, modified: int = 2) -> IngestedFile:
    return IngestedFile(batch=batch, size=1, modified=modified, rows=3, kept=3, rejects={})


def cleaned_file(batch: str, **rejects: int) -> CleanedFile:
    return CleanedFile(
        batch=batch, ingested_batch="i", kept=3, rejects=rejects, countries=["EIRE"], needs_decimal=False
    )


def publish_text(lake: Lake, text: str, *, landing_version: int, number: int = 1, as_of: date = DAY) -> bool:
    """Commit a published version that holds the text, by the attempt with that number. Returns False where
    the link keeps the version it had."""
    return publish_to(lake, lake.published(as_of), text, (landing_version, number))


def publish_to(lake: Lake, link: Path, text: str, order: tuple[int, int]) -> bool:
    with attempt(lake, "publish") as folder:
        written = folder / "version"
        written.mkdir()
        (written / "file").write_text(text)
        record = Record(landing_version=order[0], attempt=order[1], stages={})
        return commit_version(lake, written, link, record)


def published_text(lake: Lake, as_of: date = DAY) -> str:
    return (lake.published(as_of) / "file").read_text()
