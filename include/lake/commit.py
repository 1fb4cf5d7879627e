"""The lake: its paths, and the three ways a stage makes its result visible.

    landing/                                               CSV drops, ours to read only
    ingested/rules=R/batch=B/outcome=kept|rejected/kind=K  lines of the files converted together
    cleaned/rules=R/batch=B/outcome=kept|rejected/kind=K   the same after the rules, mostly as hard links
    orders/rules=R/batch=B                                 one row per file, customer, invoice and date
    rfm/as_of=D, segments/as_of=D                          links to the version that counts
    published/as_of=D, published/latest                    the same, for readers outside
    .../variants/<label>/as_of=D                           runs whose params change the result
    .attempts/                                             what is being written right now

- A **batch** is renamed into place whole and never changes. It counts once a **view** names it.
- A **view** (`view.json` beside the batches) says which batch holds each landed file. It is
  replaced in one rename, and never by a run that listed the landing folder earlier.
- A **link** (`as_of=D`) points to one immutable version and is swapped in one rename, under the
  same rule: what was made from an older listing never replaces what was made from a newer one,
  nor an attempt that was started earlier one that was started later.

Jobs hold a shared lock while they live; what nothing points to is swept only by a job that gets
the lock for itself, so never under a living job, whatever the clock says. Readers outside hold no
lock: for them the version replaced last stays, and each for an hour after it was replaced.
"""

import fcntl
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from include.errors import Refused

log = logging.getLogger("rfm")

RECORD = "run.json"  # in each version: what made it, from which listing, with which counts
SUPERSEDED_FOR_SECONDS = 3600  # how long a replaced snapshot stays, for readers still in it
PREVIOUS = "previous"
UNFINISHED = re.compile(r"\..+\.[0-9a-f]{12}")

# What is in a view.json:
#   listing   of the landing folder, its number
#   files     by name: the batch that holds its lines, how many are kept, and rejects by reason; in `ingested`
#             also size, modified, rows (and sha256 where another file has its size), in `cleaned` also
#             ingested_batch, countries, and whether an amount is large (schemas.ORDERS)
#   sizes     by batch: of how many files it was written, which tells whether all of them still count
#   stages    the records (job.Run.record) of the tasks so far
#   orders    in `cleaned`: files and sizes of the batches of orders
#   ingested  in `cleaned`: files and sizes of the view that it was made from
View = dict[str, Any]
Files = Mapping[str, dict[str, Any]]  # of a view, by the name of the landed file
NOTHING: View = {"listing": 0, "files": {}, "sizes": {}, "stages": {}}


@dataclass(frozen=True)
class Lake:
    root: Path

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    def ingested(self, rules: str) -> Path:
        return self.root / "ingested" / f"rules={rules}"

    def cleaned(self, rules: str) -> Path:
        return self.root / "cleaned" / f"rules={rules}"

    def orders(self, rules: str) -> Path:
        return self.root / "orders" / f"rules={rules}"

    def rfm(self, as_of: date, variant: str | None = None) -> Path:
        return dated(self.root / "rfm", as_of, variant)

    def segments(self, as_of: date, variant: str | None = None) -> Path:
        return dated(self.root / "segments", as_of, variant)

    def published(self, as_of: date, variant: str | None = None) -> Path:
        return dated(self.root / "published", as_of, variant)

    @property
    def latest(self) -> Path:
        return self.root / "published" / "latest"

    # -- places of one attempt ------------------------------------------------------------------

    @contextmanager
    def attempt(self, task: str) -> Iterator[Path]:
        """A folder of this attempt's own, gone afterwards; commits move their result out of it."""
        folder = self.root / ".attempts" / f"{task}-{uuid.uuid4().hex[:12]}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # -- commits --------------------------------------------------------------------------------

    def commit_batch(self, written: Path, stage: Path) -> str:
        """Move what an attempt wrote to a new batch of the stage; returns the batch's id."""
        batch = uuid.uuid4().hex[:12]
        stage.mkdir(parents=True, exist_ok=True)
        written.rename(stage / f"batch={batch}")
        return batch

    def next_number(self) -> int:
        """A number for an attempt or a listing of the landing folder; a later one has a higher one."""
        with self.locked("listing"):
            file = self.root / ".listing"
            last = int(file.read_text()) if file.exists() else self.highest_number()
            replace_text(file, str(last + 1))
            return last + 1

    def highest_number(self) -> int:
        """Of all that the lake holds: what is numbered lower would not replace it."""
        views = (read_view(file.parent) or NOTHING for file in self.root.glob("ingested/*/view.json"))
        records = (read_record(file.parent) for file in self.root.glob(f"**/.versions/*/{RECORD}"))
        numbers = [view["listing"] for view in views] + [max(precedence(record)) for record in records]
        return max(numbers, default=0)

    def commit_view(self, stage: Path, view: View) -> View:
        """Make the view the stage's current one unless a later listing's is; returns the current."""
        with self.locked("view"):
            current = read_view(stage)
            if current and current["listing"] > view["listing"]:
                return current
            stage.mkdir(parents=True, exist_ok=True)
            replace_text(stage / "view.json", json.dumps(view))
            return view

    def commit_version(self, written: Path, link: Path, record: dict[str, Any]) -> Path | None:
        """Make what an attempt wrote the version that `link` points to.

        The record needs the `listing` it was made from and the number of its `attempt`. Returns the
        version's folder, or None where the link already holds the result of a later listing, or
        of a later attempt on the same one, which then stays.
        """
        (written / RECORD).write_text(json.dumps(record, indent=1))
        versions = link.parent / ".versions"
        with self.locked("link"):
            current = link.resolve() if link.exists() else None
            if current and precedence(read_record(current)) > precedence(record):
                return None
            versions.mkdir(parents=True, exist_ok=True)
            version = versions / f"{link.name}.{uuid.uuid4().hex[:12]}"
            written.rename(version)
            if current:
                superseded_mark(current).touch()
                swap_link(versions / f"{link.name}.{PREVIOUS}", current)
            swap_link(link, version)
            return version

    def point_latest(self) -> None:
        """Point `published/latest` to the newest as-of date."""
        with self.locked("link"):
            newest = max(self.latest.parent.glob("as_of=*"), key=lambda link: link.name)
            swap_link(self.latest, newest)

    @contextmanager
    def locked(self, what: str) -> Iterator[None]:
        with (self.root / f".{what}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    # -- life and left-overs --------------------------------------------------------------------

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Held by every job while it runs: nothing is swept meanwhile. Left-overs go at the end."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".alive.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            try:
                yield
            finally:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self.sweep()
                except BlockingIOError:
                    pass  # another job is at work: the last one sweeps
                except (OSError, Refused) as error:  # no reason to fail what is done
                    log.warning("left-overs could not be removed: %s", error)

    def sweep(self) -> None:
        """Remove what nothing points to: attempts, batches in no view, versions without a link."""
        shutil.rmtree(self.root / ".attempts", ignore_errors=True)
        for stage in [*self.root.glob("ingested/*"), *self.root.glob("cleaned/*")]:
            named = batches(read_view(stage) or NOTHING)
            remove_all(b for b in stage.glob("batch=*") if b.name not in named)
            remove_unfinished(stage)
        for stage in self.root.glob("orders/*"):
            cleaned = read_view(self.cleaned(stage.name.removeprefix("rules="))) or NOTHING
            named = batches(cleaned.get("orders", cleaned))
            remove_all(b for b in stage.glob("batch=*") if b.name not in named)
        for area in ("rfm", "segments", "published"):
            for versions in [self.root / area / ".versions", *self.root.glob(f"{area}/variants/*/.versions")]:
                remove_all(not_needed(versions))
                remove_unfinished(versions)
                remove_unfinished(versions.parent)
        remove_unfinished(self.root)


def dated(folder: Path, as_of: date, variant: str | None) -> Path:
    return (folder / "variants" / variant if variant else folder) / f"as_of={as_of.isoformat()}"


def read_view(stage: Path) -> View | None:
    try:
        view: View = json.loads((stage / "view.json").read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Refused(
            f"{stage}/view.json is damaged ({error}); delete it, and all landed files are read anew"
        ) from None
    return view


def precedence(record: dict[str, Any]) -> tuple[int, int]:
    """Of two results for the same link the one with the higher numbers counts."""
    return record["listing"], record["attempt"]


def batches(view: View) -> set[str]:
    """The folder names of the batches that a view refers to."""
    return {f"batch={file['batch']}" for file in view["files"].values()}


def with_batches_of_now(view: View, stage: Path) -> View:
    """The view of the same files, each in a batch that is still there: a run beside may have written its
    lines anew since. Raises Refused for a file whose lines are gone: it has been replaced or deleted, or
    with repeats dropped other files now decide which of its lines are kept."""
    gone = {batch for batch in batches(view) if not (stage / batch).is_dir()}
    current = read_view(stage) or NOTHING

    def lines(of: View, name: str) -> tuple[Any, ...] | None:
        if name not in of["files"]:
            return None
        file, landed = of["files"][name], of.get("ingested", of)["files"][name]
        return landed["size"], landed["modified"], file["kept"], file["rejects"]

    files = dict(view["files"])
    for name, file in view["files"].items():
        if f"batch={file['batch']}" in gone:
            if lines(view, name) != lines(current, name):
                raise Refused(
                    f"the lines of {name} have been replaced meanwhile; clear the run from ingest on"
                )
            files[name] = file | {"batch": current["files"][name]["batch"]}
    return view | {"files": files, "sizes": view["sizes"] | current["sizes"]}


def files_to_clean(ingested: Files, known: Files, *, drop_repeats: bool) -> list[str]:
    """The ingested files whose lines have not been through the rules yet; `known` are those that have.
    Dropping repeats compares lines across files, so with it any change means all of them."""
    live = {file: entry["batch"] for file, entry in ingested.items()}
    new = [file for file in live if known.get(file, {}).get("ingested_batch") != live[file]]
    if drop_repeats and (new or live.keys() != known.keys()):
        return list(live)
    return new


def read_record(version: Path) -> dict[str, Any]:
    """What made a version and with which counts; Refused when there is none yet."""
    try:
        record: dict[str, Any] = json.loads((version / RECORD).read_text())
    except FileNotFoundError:
        raise Refused(f"{version}: not there yet; run the task before this one first") from None
    return record


def link_files(folder: Path, to: Path) -> None:
    """The files of a folder in another one as well: they never change, so both can hold them."""
    to.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        try:
            os.link(file, to / file.name)
        except OSError:  # a volume without hard links
            shutil.copy2(file, to / file.name)


def swap_link(link: Path, target: Path) -> None:
    """Point link to target in one step; relative, so that the lake can be mounted anywhere."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.parent / f".{link.name}.{uuid.uuid4().hex[:12]}"
    fresh.symlink_to(os.path.relpath(target, link.parent))
    fresh.replace(link)


def replace_text(file: Path, text: str) -> None:
    fresh = file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}")
    with fresh.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)


def superseded_mark(version: Path) -> Path:
    """A file whose time is that at which the version was replaced; one never visible has none."""
    return version.with_name(f"{version.name}.superseded")


def not_needed(versions: Path) -> Iterator[Path]:
    """Versions that no link needs: neither the current, nor the one before it, nor a recent one."""
    for version in versions.glob("as_of=*"):
        if version.is_symlink() or not version.is_dir():
            continue
        name, mark = version.name.rsplit(".", 1)[0], superseded_mark(version)
        links = {versions.parent / name, versions / f"{name}.{PREVIOUS}"}
        recent = mark.exists() and not older_than(mark, SUPERSEDED_FOR_SECONDS)
        if not recent and version.resolve() not in {link.resolve() for link in links}:
            yield version
            mark.unlink(missing_ok=True)


def older_than(path: Path, seconds: float) -> bool:
    return time.time() - path.lstat().st_mtime > seconds


def remove_unfinished(folder: Path) -> None:
    """Remove what swap_link and replace_text leave behind when they are killed."""
    for path in folder.glob(".*"):
        if UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)


def remove_all(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
