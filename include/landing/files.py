"""The landing folder: which files are in it, and which of them may be read now."""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from include.errors import InputError

Identity = tuple[int, int]

TABLES = (".csv", ".tsv", ".txt", ".xlsx")
WOULD_BE_READ = ".csv, .tsv, .txt and .xlsx are read, also inside .gz and .zip"
OTHER_WORKBOOKS = (".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
OTHER_ARCHIVES = (".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".zst")
INCOMPLETE = (".part", ".partial", ".filepart", ".crdownload", ".tmp")  # while a file is copied or downloaded
MOST_NAMED = 5  # entries that the message about a folder without files shows


@dataclass(frozen=True)
class LandedFile:
    path: Path
    name: str  # relative to the landing folder
    size: int  # bytes
    modified: int  # nanoseconds since 1970, as the file system has it

    @property
    def identity(self) -> Identity:
        return self.size, self.modified


def identity(path: Path) -> Identity:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def landed_files(landing: Path) -> tuple[list[LandedFile], dict[str, str]]:
    """The files below the landing folder that can be read by their names, sorted by name; and what else is
    there, with the reason. Hidden entries are none. Raises InputError when there is no such file."""
    if not landing.is_dir():
        raise InputError(f"landing folder {landing} is missing; create it and drop files there")
    found, others = [], {}
    for path in sorted(everything_below(landing)):
        parts = path.relative_to(landing).parts
        if any(is_hidden(part) for part in parts):
            continue
        # Names end up in UTF-8 files, so the bytes of one that is not UTF-8 are escaped.
        name = os.fsencode("/".join(parts)).decode("utf-8", errors="backslashreplace")
        is_file = path.is_file()
        if why := why_not_by_name(path.name) if is_file else why_no_file(path):
            others[name] = why
        elif is_file:
            found.append(LandedFile(path, name, *identity(path)))
    if not found:
        raise nothing_to_read(f"landing folder {landing}", others)
    return found, others


def is_hidden(name: str) -> bool:
    return name.startswith((".", "_"))


def why_no_file(path: Path) -> str | None:
    """The reason why an entry that is no file is not counted; None for a folder to look into."""
    if not path.is_dir():
        return "is no file, or a link to nowhere"
    if path.is_symlink():
        return "is a link to a folder, which is not followed"
    return "is a folder" if is_read(path.name) else None


def why_not_by_name(name: str) -> str | None:
    """The reason why a file with this name is not counted; None if it is read. A name such as `orders.gz`
    does not tell what is inside, and is read."""
    table, packing = divided_name(name)
    kind = PurePosixPath(table).suffix
    if packing == ".zip" or kind in TABLES or (packing and not kind):
        return None
    if not kind:
        return f"has no extension; {WOULD_BE_READ}"
    if kind in INCOMPLETE:
        return "is not complete, by its name; it is read once it has its own"
    if kind in OTHER_WORKBOOKS:
        return "is not read; save it as .xlsx or .csv"
    if kind in OTHER_ARCHIVES:
        return "is not read; pack the files in it as .zip, or each as .gz"
    return f"is not read; {WOULD_BE_READ}"


def divided_name(name: str) -> tuple[str, str]:
    """A name in small letters without the packing, and the packing: `orders.csv` and `.gz`."""
    path = PurePosixPath(name.lower())
    return (path.stem, path.suffix) if path.suffix in (".gz", ".zip") else (path.name, "")


def is_read(name: str) -> bool:
    """Whether a file with this name is read."""
    return why_not_by_name(name) is None


def nothing_to_read(folder: str, others: Mapping[str, str]) -> InputError:
    """The error for a folder without a file that counts."""
    there = "; ".join(f"{name} {why}" for name, why in islice(others.items(), MOST_NAMED))
    more = f"; and {len(others) - MOST_NAMED:,} more" if len(others) > MOST_NAMED else ""
    entries = f"It has: {there}{more}" if others else "It is empty"
    return InputError(f"{folder} has no file that can be read: {WOULD_BE_READ}. {entries}")


def everything_below(folder: Path) -> Iterator[Path]:
    """Raises OSError for a folder that cannot be listed: its files would seem to be deleted."""

    def stop(error: OSError) -> None:
        raise error

    for inside, folders, files in os.walk(folder, onerror=stop):
        yield from (Path(inside, name) for name in [*folders, *files])


def unreadable(files: Iterable[LandedFile]) -> dict[str, str]:
    """The files that this process may not read, with the reason."""
    refused = {}
    for file in files:
        try:
            file.path.open("rb").close()
        except PermissionError as error:
            refused[file.name] = f"cannot be read ({error.strerror})"
    return refused


def still_written(files: Iterable[LandedFile], settle_seconds: float) -> dict[str, str]:
    """The files that change while we look, with the reason. Waits once if any was modified just now."""
    young = [file for file in files if time.time() - file.modified / 1e9 < settle_seconds]
    if young:
        time.sleep(settle_seconds)
    return {
        file.name: "is still being written"
        for file in young
        if not file.path.exists() or identity(file.path) != file.identity
    }


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
