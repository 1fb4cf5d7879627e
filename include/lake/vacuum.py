"""Removing what nothing points to: left-overs of killed attempts, unnamed batches, replaced versions.

Only a job that holds the lake for itself vacuums, so nothing is removed under a living job, whatever the
clock says. Readers outside hold no lock: for them the version that was replaced last is kept, and each
replaced version for an hour.
"""

import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from include.lake.manifest import read_any_manifest
from include.lake.paths import SNAPSHOT_AREAS, VERSIONS, Lake, batch_folder, previous_link, superseded_mark

SUPERSEDED_FOR_SECONDS = 3600
REPORT_FOR_SECONDS = 24 * 3600  # its task reads it right after the job; a killed task leaves it
UNFINISHED = re.compile(r"\..+\.[0-9a-f]{12}")  # what swap_link and replace_text leave when they are killed


def vacuum(lake: Lake) -> None:
    """Remove attempts, batches that no manifest names, and versions that no link needs."""
    shutil.rmtree(lake.attempts, ignore_errors=True)
    for stage in [*lake.root.glob("ingested/*"), *lake.root.glob("cleaned/*")]:
        keep_batches(stage, read_any_manifest(stage).batches)
    for stage in lake.root.glob("orders/*"):
        cleaned = read_any_manifest(lake.root / "cleaned" / stage.name)
        keep_batches(stage, (cleaned.orders or cleaned).batches)
    for area in SNAPSHOT_AREAS:
        for versions in [lake.root / area / VERSIONS, *lake.root.glob(f"{area}/variants/*/{VERSIONS}")]:
            remove_all(versions_without_use(versions))
            remove_unfinished(versions)
            remove_unfinished(versions.parent)
    remove_unfinished(lake.root)
    remove_all(report for report in lake.reports.glob("*") if is_older_than(report, REPORT_FOR_SECONDS))


def keep_batches(stage: Path, batches: Iterable[str]) -> None:
    """Remove all batches of a stage but these. No manifest will ever name the others again."""
    kept = {batch_folder(stage, batch) for batch in batches}
    remove_all(folder for folder in stage.glob("batch=*") if folder not in kept)
    remove_unfinished(stage)


def versions_without_use(versions: Path) -> Iterator[Path]:
    """Versions that are not current, not the ones before those, and not replaced in the last hour."""
    for version in versions.glob("as_of=*"):
        if version.is_symlink() or not version.is_dir():
            continue
        mark = superseded_mark(version)
        links = {versions.parent / version.name.rsplit(".", 1)[0], previous_link(version)}
        recent = mark.exists() and not is_older_than(mark, SUPERSEDED_FOR_SECONDS)
        if not recent and version.resolve() not in {link.resolve() for link in links}:
            yield version
            mark.unlink(missing_ok=True)


def is_older_than(path: Path, seconds: float) -> bool:
    return time.time() - path.lstat().st_mtime > seconds


def remove_unfinished(folder: Path) -> None:
    for path in folder.glob(".*"):
        if UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)


def remove_all(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
