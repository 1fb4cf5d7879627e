"""The three ways a stage makes its result visible, each in one atomic step.

- A **batch** is renamed into place whole, and never changes.
- A **manifest** is replaced in one rename, and never by a run that listed the landing folder earlier.
- A **link** (`as_of=D`) points to one version that never changes, and is swapped in one rename. A version
  that was made from an earlier state of the landing folder, or by an attempt that started earlier, never
  replaces the current one.
"""

import fcntl
import filecmp
import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from include.errors import ConfigError, UserError
from include.lake.manifest import MANIFEST, M, read_any_manifest, read_manifest
from include.lake.paths import VERSIONS, Lake, batch_folder, previous_link, superseded_mark
from include.lake.record import NO_ORDER, RECORD, Record, read_commit_order
from include.lake.state import state_text
from include.lake.vacuum import vacuum

log = logging.getLogger("rfm")

COUNTER = ".listing"  # the highest number in use
MANIFEST_LOCK, LINK_LOCK, NUMBER_LOCK, ALIVE_LOCK = "view", "link", "listing", "alive"


# -- life ---------------------------------------------------------------------------------------


@contextmanager
def alive(lake: Lake) -> Iterator[None]:
    """Hold the shared lock for the life of a job. The last job to leave vacuums."""
    lake.root.mkdir(parents=True, exist_ok=True)
    with lock_file(lake, ALIVE_LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            yield
        finally:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                vacuum(lake)
            except BlockingIOError:
                pass  # another job is at work
            except (OSError, UserError) as error:  # the job's own result is committed by now
                log.warning("left-overs could not be removed: %s", error)


@contextmanager
def alone(lake: Lake) -> Iterator[None]:
    """Hold the lake without any job in it. Raises ConfigError while one is at work."""
    with lock_file(lake, ALIVE_LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"a job is at work in {lake.root}; try again when no task runs") from None
        yield


@contextmanager
def attempt(lake: Lake, task: str) -> Iterator[Path]:
    """A folder that no other attempt uses. Commits move results out of it; it is removed at the end."""
    folder = lake.attempts / f"{task}-{random_id()}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(lake: Lake, what: str) -> Iterator[None]:
    with lock_file(lake, what).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lock_file(lake: Lake, what: str) -> Path:
    return lake.root / f".{what}.lock"


# -- numbers ------------------------------------------------------------------------------------


def next_number(lake: Lake) -> int:
    """A number for an attempt, or for a version of the landing folder. Later ones are higher."""
    with locked(lake, NUMBER_LOCK):
        file = lake.root / COUNTER
        number = (int(file.read_text()) if file.exists() else highest_number(lake)) + 1
        replace_text(file, str(number))
        return number


def highest_number(lake: Lake) -> int:
    """The highest number in use. A commit with a lower one has no effect."""
    stages = (file.parent for file in lake.root.glob(f"ingested/*/{MANIFEST}"))
    versions = (read_commit_order(file.parent) for file in lake.root.glob(f"**/{VERSIONS}/*/{RECORD}"))
    numbers = [read_any_manifest(stage).landing_version for stage in stages]
    return max([0, *numbers, *map(max, versions)])


# -- commits ------------------------------------------------------------------------------------


def commit_batch(written: Path, stage: Path) -> str:
    """Move what an attempt wrote to a new batch of the stage. Returns the batch's id."""
    batch = random_id()
    stage.mkdir(parents=True, exist_ok=True)
    written.rename(batch_folder(stage, batch))
    return batch


def commit_manifest(lake: Lake, stage: Path, manifest: M) -> M:
    """Make this the stage's manifest, unless the present one is from a newer state of the landing
    folder. Returns the one that is current then."""
    with locked(lake, MANIFEST_LOCK):
        current = read_manifest(stage, type(manifest))
        if current and current.landing_version > manifest.landing_version:
            return current
        stage.mkdir(parents=True, exist_ok=True)
        replace_text(stage / MANIFEST, state_text(manifest))
        return manifest


def commit_version(lake: Lake, written: Path, link: Path, record: Record) -> bool:
    """Make what an attempt wrote the version that `link` points to. Returns False where the link already
    holds a version with a higher commit order, which is kept."""
    replace_text(written / RECORD, state_text(record, indent=1))
    versions = link.parent / VERSIONS
    with locked(lake, LINK_LOCK):
        current = link.resolve() if link.exists() else None
        order = read_commit_order(current) if current else NO_ORDER
        if order > record.commit_order:
            return False
        versions.mkdir(parents=True, exist_ok=True)
        version = versions / f"{link.name}.{random_id()}"
        written.rename(version)
        if current:
            if order == NO_ORDER:
                log.warning("%s had no readable %s and is replaced", current, RECORD)
            superseded_mark(current).touch()
            swap_link(previous_link(version), current)
        swap_link(link, version)
        return True


def point_latest(lake: Lake) -> None:
    """Point `published/latest` to the newest as-of date."""
    with locked(lake, LINK_LOCK):
        newest = max(lake.latest.parent.glob("as_of=*"), key=lambda link: link.name)
        swap_link(lake.latest, newest)


# -- single steps -------------------------------------------------------------------------------


def random_id() -> str:
    """An id that no other attempt has. It starts with a letter: Spark tries to read the name of each
    partition as a decimal, and would compute 5e0303718880 for hours."""
    return f"b{uuid.uuid4().hex[:11]}"


def link_files(folder: Path, to: Path) -> None:
    """Hard-link the files of a folder into another one. They never change, so both may hold them."""
    to.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        try:
            os.link(file, to / file.name)
        except OSError:  # a volume without hard links
            shutil.copy2(file, to / file.name)


def share_content(file: Path, others: Iterable[Path]) -> None:
    """Make a file that is not yet committed a hard link to the first of the others that has its content.
    Committed files never change, so snapshots may share them."""
    same = next((o for o in others if o.is_file() and filecmp.cmp(file, o, shallow=False)), None)
    if same is None:
        return
    link = file.with_name(f".{file.name}.{random_id()}")
    with suppress(OSError):  # a volume without hard links
        os.link(same, link)
        link.replace(file)


def neighbours(snapshot: Path) -> list[Path]:
    """The links of the same date and of the nearest dates before and after it, as far as there are any."""
    links = sorted({*snapshot.parent.glob("as_of=*"), snapshot})
    place = links.index(snapshot)
    return [link for link in links[max(0, place - 1) : place + 2] if link.exists()]


def swap_link(link: Path, target: Path) -> None:
    """Point link to target in one step; relative, so that the lake can be mounted anywhere."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.parent / f".{link.name}.{random_id()}"
    fresh.symlink_to(os.path.relpath(target, link.parent))
    fresh.replace(link)


def replace_text(file: Path, text: str) -> None:
    """Write a file durably and in one step."""
    fresh = file.with_name(f".{file.name}.{random_id()}")
    with fresh.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
