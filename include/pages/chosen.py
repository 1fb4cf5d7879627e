"""The snapshot that a request is about, and errors that say which there are."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

from fastapi import HTTPException

from include.errors import UserError
from include.lake.paths import Lake
from include.pages.snapshot import find_snapshot
from include.pipeline import DAG_ID, LAKE_VARIABLE
from include.published.catalog import SnapshotName, published_snapshots, snapshot_name

T = TypeVar("T")
NAMED = 10  # of the published snapshots, in an error


@dataclass(frozen=True)
class Chosen:
    """A snapshot among all that are published."""

    name: SnapshotName
    folder: Path
    published: Sequence[SnapshotName]  # the newest first

    @property
    def alike(self) -> list[SnapshotName]:
        """The snapshots of the same variant, the newest first."""
        return [name for name in self.published if name.variant == self.name.variant]


def lake() -> Lake:
    root = os.environ.get(LAKE_VARIABLE)
    if not root:
        raise HTTPException(
            HTTPStatus.NOT_FOUND,
            f"{LAKE_VARIABLE} is not set in the API server. Set it to the lake's folder.",
        )
    return Lake(Path(root))


def chosen_snapshot(text: str | None) -> Chosen:
    """The snapshot of a name, or the newest one that is no variant."""
    if text is None:
        published = published_snapshots(lake())
        default = [name for name in published if not name.variant] or published
        if not default:
            raise not_published(None, published)
        return snapshot_at(default[0])
    name = snapshot_name(text)
    if name is None:
        raise HTTPException(
            HTTPStatus.NOT_FOUND,
            "No snapshot has this name. A name is a date, or a date and a variant: 2011-12-10, "
            "2011-12-10/segment_map=rf10.",
        )
    return snapshot_at(name)


def snapshot_at(name: SnapshotName) -> Chosen:
    published = published_snapshots(lake())
    folder = find_snapshot(lake(), name.as_of, name.variant)
    if folder is None:
        raise not_published(name, published)
    return Chosen(name, folder, published)


def read_each(
    names: Iterable[SnapshotName], read: Callable[[Path, SnapshotName], T]
) -> tuple[dict[SnapshotName, T], dict[SnapshotName, str]]:
    """What is read from each of these snapshots, and why others cannot be read. One that was removed in the
    meantime is in neither."""
    found, left_out = dict[SnapshotName, T](), dict[SnapshotName, str]()
    for name in names:
        folder = find_snapshot(lake(), name.as_of, name.variant)
        try:
            if folder is not None:
                found[name] = read(folder, name)
        except UserError as error:
            left_out[name] = str(error)
    return found, left_out


def not_published(name: SnapshotName | None, published: Sequence[SnapshotName]) -> HTTPException:
    if not published:
        return HTTPException(
            HTTPStatus.NOT_FOUND,
            f"No snapshot is published yet in {lake().root}. Trigger the DAG {DAG_ID}, and look here again "
            "when its run has ended.",
        )
    alike = [one for one in published if name is None or one.variant == name.variant] or published
    more = f", and {len(alike) - NAMED} older ones" if len(alike) > NAMED else ""
    of_variant = f" of the variant {name.variant}" if name and name.variant else ""
    return HTTPException(
        HTTPStatus.NOT_FOUND,
        f"No snapshot{of_variant} as of {name.as_of if name else ''} is published here. "
        f"Published are {', '.join(map(str, alike[:NAMED]))}{more}.",
    )
