"""Where everything is in the lake.

    landing/                               CSV files of the shop; the pipeline only reads them
    ingested/rules=F/batch=B/outcome=*/kind=*   typed lines of the files converted together
    cleaned/rules=F/batch=B/outcome=*/kind=*    the same lines after the rules, mostly hard links
    orders/rules=F/batch=B                 one row per file, customer, invoice and date
    rfm/as_of=D, segments/as_of=D          links to the current version
    published/as_of=D, published/latest    the same, for readers outside
    .../variants/<label>/as_of=D           runs whose params change the result
    .attempts/                             what jobs are writing right now
    .reports/                              what jobs hand to the tasks that wait for them
    .failures/                             failed dates that have not succeeded since

F is the fingerprint of the settings that decide how lines are read or cleaned.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

# What rfm, segment and publish make for one date: versions in `.versions/`, and a link to the current one.
SNAPSHOT_AREAS = ("rfm", "segments", "published")
VERSIONS = ".versions"
PREVIOUS = "previous"


@dataclass(frozen=True)
class Lake:
    root: Path

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    def ingested(self, fingerprint: str) -> Path:
        return self.root / "ingested" / f"rules={fingerprint}"

    def cleaned(self, fingerprint: str) -> Path:
        return self.root / "cleaned" / f"rules={fingerprint}"

    def orders(self, fingerprint: str) -> Path:
        return self.root / "orders" / f"rules={fingerprint}"

    def rfm(self, as_of: date, variant: str | None = None) -> Path:
        return dated(self.root / "rfm", as_of, variant)

    def segments(self, as_of: date, variant: str | None = None) -> Path:
        return dated(self.root / "segments", as_of, variant)

    def published(self, as_of: date, variant: str | None = None) -> Path:
        return dated(self.root / "published", as_of, variant)

    @property
    def latest(self) -> Path:
        return self.root / "published" / "latest"

    @property
    def attempts(self) -> Path:
        return self.root / ".attempts"

    @property
    def reports(self) -> Path:
        return self.root / ".reports"

    @property
    def failures(self) -> Path:
        return self.root / ".failures"

    def failure(self, as_of: date, variant: str | None = None) -> Path:
        return dated(self.failures, as_of, variant)


def dated(folder: Path, as_of: date, variant: str | None) -> Path:
    return (folder / "variants" / variant if variant else folder) / f"as_of={as_of.isoformat()}"


def batch_folder(stage: Path, batch: str) -> Path:
    return stage / f"batch={batch}"


def superseded_mark(version: Path) -> Path:
    """A file whose modification time is when the version was replaced. A version that was never current
    has none."""
    return version.with_name(f"{version.name}.superseded")


def previous_link(version: Path) -> Path:
    """The link to the version that was current before the present one."""
    return version.with_name(f"{version.name.rsplit('.', 1)[0]}.{PREVIOUS}")
