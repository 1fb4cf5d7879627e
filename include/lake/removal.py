"""Removing what somebody no longer wants: snapshots before a date, and caches of other settings.

Nothing of it is needed by another date, and all of it can be made again from `landing/`. Only a process
that holds the lake for itself removes.
"""

import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from include.lake.paths import SNAPSHOT_AREAS, VERSIONS, Lake
from include.settings import Segmentation


@dataclass(frozen=True)
class Removable:
    """What can be removed together, with its paths in the order in which they are to go."""

    what: str
    paths: tuple[Path, ...]


def snapshots_before(lake: Lake, day: date) -> list[Removable]:
    """The snapshots of earlier as-of dates with what `rfm` and `segment` made for them, variants too. The
    newest snapshot stays, as `latest` points to it."""
    newest = max((link.name for link in lake.latest.parent.glob("as_of=*")), default="")
    variants = {path.name for path in lake.root.glob("*/variants/*")}
    folders = [lake.root / area for area in SNAPSHOT_AREAS]
    found = [removable("snapshots", folders, {name for name in old_names(folders, day) if name != newest})]
    for label in sorted(variants):
        folders = [lake.root / area / "variants" / label for area in SNAPSHOT_AREAS]
        found.append(removable(f"{label} snapshots", folders, old_names(folders, day)))
    return [old for old in found if old.paths]


def old_names(folders: Iterable[Path], day: date) -> set[str]:
    """The names of dates before the day, such as as_of=2011-12-09, that have a link or a version."""
    globs = ("as_of=*", f"{VERSIONS}/as_of=*")
    paths = [path for folder in folders for glob in globs for path in folder.glob(glob)]
    return {path.name.split(".")[0] for path in paths if path.name < f"as_of={day.isoformat()}"}


def removable(what: str, folders: Iterable[Path], names: Collection[str]) -> Removable:
    dates = sorted(name.removeprefix("as_of=") for name in names)
    span = f"{len(dates)} {what}, as of {dates[0]} to {dates[-1]}" if dates else what
    paths = [path for folder in folders for name in sorted(names) for path in paths_of(folder, name)]
    return Removable(span, tuple(paths))


def paths_of(folder: Path, name: str) -> list[Path]:
    """The link of a date before its versions: a reader finds the snapshot whole, or not at all."""
    return [path for path in (folder / name, *sorted(folder.glob(f"{VERSIONS}/{name}.*"))) if is_there(path)]


def caches_of_other_settings(lake: Lake, settings: Segmentation) -> list[Removable]:
    """The lines and orders that were made with other settings than the configured ones."""
    used = {
        lake.ingested(settings.ingest_fingerprint),
        lake.cleaned(settings.clean_fingerprint),
        lake.orders(settings.clean_fingerprint),
    }
    areas = ("ingested", "cleaned", "orders")
    stages = sorted(stage for area in areas for stage in lake.root.glob(f"{area}/rules=*"))
    return [
        Removable(f"{stage.parent.name} of other settings, {stage.name}", (stage,))
        for stage in stages
        if stage not in used
    ]


def remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def room(removables: Iterable[Removable]) -> int:
    """The bytes on disk that are free when these are gone. A file keeps its room while another snapshot or
    stage links to it."""
    links: dict[int, int] = {}
    sizes: dict[int, tuple[int, int]] = {}
    for removable in removables:
        for path in removable.paths:
            for file in [path] if path.is_file() else path.rglob("*"):
                if file.is_file() and not file.is_symlink():
                    status = file.lstat()
                    links[status.st_ino] = links.get(status.st_ino, 0) + 1
                    sizes[status.st_ino] = status.st_nlink, status.st_blocks * 512
    return sum(size for inode, (all_links, size) in sizes.items() if links[inode] == all_links)


def is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()
