"""The landing folder: which files are in it, which of them may be read now, and which are copies."""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from include.errors import InputError

Identity = tuple[int, int]


@dataclass(frozen=True)
class LandedFile:
    path: Path
    name: str  # relative to the landing folder
    size: int  # bytes
    modified: int  # nanoseconds since 1970, as the file system has it

    @property
    def identity(self) -> Identity:
        return self.size, self.modified


@dataclass(frozen=True)
class Content:
    """What a landed file held when it had this identity. The digest is known only where it was needed."""

    size: int
    modified: int
    sha256: str | None = None

    @property
    def identity(self) -> Identity:
        return self.size, self.modified


def identity(path: Path) -> Identity:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def landed_files(landing: Path) -> tuple[list[LandedFile], dict[str, str]]:
    """The CSV files below the landing folder, sorted by name; and what has such a name without being a
    file, with the reason. Raises InputError when there is no file."""
    if not landing.is_dir():
        raise InputError(f"landing folder {landing} is missing; create it and drop CSV files there")
    found, others = [], {}
    for path in sorted(everything_below(landing)):
        parts = path.relative_to(landing).parts
        is_linked_folder = path.is_symlink() and path.is_dir()
        is_hidden = any(part.startswith((".", "_")) for part in parts)
        if is_hidden or not (is_linked_folder or is_csv(path.name)):
            continue
        # Names end up in UTF-8 files, so the bytes of one that is not UTF-8 are escaped.
        name = os.fsencode("/".join(parts)).decode("utf-8", errors="backslashreplace")
        if path.is_file():
            found.append(LandedFile(path, name, *identity(path)))
        elif is_linked_folder:
            others[name] = "is a link to a folder, which is not followed"
        else:
            others[name] = "is a folder" if path.is_dir() else "is no file, or a link to nowhere"
    if not found:
        raise InputError(f"landing folder {landing} has no .csv or .csv.gz file")
    return found, others


def is_csv(name: str) -> bool:
    return name.lower().endswith((".csv", ".csv.gz"))


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


def with_digests(contents: Mapping[str, Content], files: Iterable[LandedFile]) -> dict[str, Content]:
    """The contents, with the digest of each that is as large as another one.

    An unknown digest is computed from the file while its identity is still that of the content. Once
    the file has changed, nothing tells what it held.
    """
    with_size = Counter(content.size for content in contents.values())
    found = dict(contents)
    for file in files:
        content = contents.get(file.name)
        if not content or content.sha256 or not content.size or with_size[content.size] == 1:
            continue
        if file.identity == content.identity:
            found[file.name] = replace(content, sha256=sha256(file.path))
    return found


def copies(contents: Mapping[str, Content]) -> dict[str, str]:
    """The files with the same bytes as an earlier one of the contents, and the name of that one."""
    first_with, found = dict[str, str](), dict[str, str]()
    for name, content in contents.items():
        if content.sha256 and first_with.setdefault(content.sha256, name) != name:
            found[name] = first_with[content.sha256]
    return found


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
