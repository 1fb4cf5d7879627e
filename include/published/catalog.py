"""Which snapshots a lake has published: their dates and variants."""

import os
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from include.errors import UserError
from include.lake.paths import Lake

# The characters of RunConfig.variant: no label can lead out of its folder.
VARIANT = r"[A-Za-z0-9_=,-]+"
NAME = re.compile(rf"(\d{{4}}-\d\d-\d\d)(?:/({VARIANT}))?")


@dataclass(frozen=True)
class SnapshotName:
    """The date of a snapshot, and its variant where it has one."""

    as_of: date
    variant: str | None = None

    def at(self, as_of: date) -> "SnapshotName":
        """The snapshot of another date, of the same variant."""
        return SnapshotName(as_of, self.variant)

    @property
    def path(self) -> str:
        """The path of its page below that of all pages."""
        return page_path(f"{self.as_of}", self.variant)

    def __str__(self) -> str:
        return f"{self.as_of}/{self.variant}" if self.variant else f"{self.as_of}"


def page_path(as_of: str, variant: str | None) -> str:
    """The path of a snapshot's page below that of all pages."""
    return f"snapshots/{f'variants/{variant}/' if variant else ''}{as_of}/"


def snapshot_name(text: str) -> SnapshotName | None:
    """The name in a text such as `2011-12-10` or `2011-12-10/segment_map=rf10`; None where it is no name."""
    found = NAME.fullmatch(text)
    try:
        return SnapshotName(date.fromisoformat(found[1]), found[2]) if found else None
    except ValueError:
        return None


def published_snapshots(lake: Lake) -> list[SnapshotName]:
    """All published snapshots, the newest first, those with a variant after that of their date.

    Raises UserError where the lake cannot be reached.
    """
    published = lake.root / "published"
    check_readable(lake.root)
    if published.exists():
        check_readable(published)
    links = [*published.glob("as_of=*"), *published.glob("variants/*/as_of=*")]
    names = [snapshot_name(name_of(link, published)) for link in links]
    return sorted((name for name in names if name), key=lambda n: (-n.as_of.toordinal(), n.variant or ""))


def check_readable(folder: Path) -> None:
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise UserError(
            f"the lake cannot be reached at {folder} ({error.strerror}): "
            "mount it on this machine and let the API server's user read it"
        ) from error


def name_of(link: Path, published: Path) -> str:
    day = link.name.removeprefix("as_of=")
    return day if link.parent == published else f"{day}/{link.parent.name}"
