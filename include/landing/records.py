"""The landing folder as the driver sees it: its files, and how each of them is to be read.

Spark reads most files as they are. What it cannot read line by line is read here, one record at a
time and never a whole file: UTF-16, line breaks in quotes, and compressed files that are damaged.
"""

import csv
import gzip
import hashlib
import io
import os
import re
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.errors import Refused
from include.settings import Columns

HEAD_BYTES = 64 * 1024
HEADER_MAY_START_BY_LINE = 10
RECORD_LINES, RECORD_CHARACTERS = 1_000, 1 << 20  # of a record with line breaks, at most
GZIP_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)

# Windows-1252 is ISO-8859-1 but for these.
LATIN = "".join(map(chr, range(0x80, 0xA0)))
WINDOWS = "".join(bytes([code]).decode("cp1252", errors="ignore") or chr(code) for code in range(0x80, 0xA0))


@dataclass(frozen=True)
class LandedFile:
    path: Path
    name: str  # relative to the landing folder
    size: int
    modified: int  # nanoseconds, as the file system tells

    @property
    def identity(self) -> tuple[int, int]:
        return self.size, self.modified

    def is_of(self, entry: Mapping[str, Any] | None) -> bool:
        """Whether this very file, unchanged since, is what a view's entry is about."""
        return entry is not None and self.identity == (entry["size"], entry["modified"])


@dataclass(frozen=True)
class Format:
    """How a landed file is read, as its first lines tell."""

    compressed: bool
    encoding: str | None  # UTF-16; None is UTF-8, or Windows-1252 in lines that are not
    header_lines: int  # up to and with the header
    header_rows: int  # of these the ones that are not blank
    delimiter: str
    width: int  # columns in the header; 0 where the first line is no header of ours
    places: tuple[int, ...]  # where in it our columns are


def identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


# -- which files there are ----------------------------------------------------------------------


def landed_files(landing: Path) -> tuple[list[LandedFile], dict[str, str]]:
    """The CSV files below the landing folder, by name; and what has such a name but is no file,
    with the reason. Raises Refused when there is no file."""
    if not landing.is_dir():
        raise Refused(f"landing folder {landing} is missing; create it and drop the shop's CSV files there")
    found, others = [], {}
    for path in sorted(everything_below(landing)):
        parts = path.relative_to(landing).parts
        linked_folder = path.is_symlink() and path.is_dir()
        hidden = any(part.startswith((".", "_")) for part in parts)
        if hidden or not (linked_folder or is_csv(path.name)):
            continue
        # A name that is not UTF-8 is shown with its bytes escaped, since it will stand in UTF-8 files.
        name = os.fsencode("/".join(parts)).decode("utf-8", errors="backslashreplace")
        if path.is_file():
            found.append(LandedFile(path, name, *identity(path)))
        elif linked_folder:
            others[name] = "is a link to a folder, which is not followed"
        else:
            others[name] = "is a folder" if path.is_dir() else "is no file, or a link to nowhere"
    if not found:
        raise Refused(f"landing folder {landing} has no .csv or .csv.gz file")
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
    """Files that this process may not read: name -> why."""
    refused = {}
    for file in files:
        try:
            file.path.open("rb").close()
        except PermissionError as error:
            refused[file.name] = f"cannot be read ({error.strerror})"
    return refused


def still_written(files: Iterable[LandedFile], settle_seconds: float) -> dict[str, str]:
    """Files that change while we look: name -> why. Waits, once, when one was modified just now."""
    young = [file for file in files if time.time() - file.modified / 1e9 < settle_seconds]
    if young:
        time.sleep(settle_seconds)
    return {
        file.name: "is still being written"
        for file in young
        if not file.path.exists() or identity(file.path) != file.identity
    }


def same_content(files: list[LandedFile], entries: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Files that have an entry, and in it the bytes of an earlier file: name -> the earlier name. Only those
    of equal size are looked into; their digest is kept in their entry. It is all that tells what a file
    held that has been changed since."""
    of_size = Counter(entry["size"] for entry in entries.values())
    copies, first_with = dict[str, str](), dict[str, str]()
    for file in files:
        entry = entries.get(file.name)
        if not entry or not entry["size"] or of_size[entry["size"]] == 1:
            continue
        if "sha256" not in entry and file.is_of(entry):
            entry["sha256"] = sha256(file.path)
        if digest := entry.get("sha256"):
            first = first_with.setdefault(digest, file.name)
            if first != file.name:
                copies[file.name] = first
    return copies


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# -- how a file is to be read -------------------------------------------------------------------


def file_format(file: LandedFile, columns: Columns) -> Format:
    """The format told by the file's first lines. The header may follow blank lines or Excel's
    `sep=;`. Raises Refused when the header has some of our columns, but not each of them once."""
    with file.path.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    head = head_bytes(file.path, compressed)
    encoding = utf_16(head)
    text = head.decode(encoding or "utf-8", errors="replace").removeprefix("\ufeff")
    above = 0
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text)[:HEADER_MAY_START_BY_LINE], 1):
        if not line.strip(" ") or line.lower().startswith("sep="):
            above += bool(line.strip(" "))
            continue
        delimiter = max(",;\t|", key=line.count)
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
        header = [name.lower() for name in names]
        found = {
            ours: [place for place, name in enumerate(header) if name in accepted]
            for ours, accepted in columns.names.items()
        }
        if not any(found.values()):
            break
        if wrong := [columns.first_name(ours) for ours, places in found.items() if len(places) != 1]:
            raise Refused(
                f"{file.name}: line {number}: column {', '.join(wrong)} missing or doubled in the header; "
                f"it has {', '.join(names)[:500]}. Correct the file, or the names under landing.columns "
                f"in segmentation.yaml"
            )
        places = tuple(places[0] for places in found.values())
        return Format(compressed, encoding, number, above + 1, delimiter, len(header), places)
    return Format(compressed, encoding, 0, 0, ",", 0, ())


def head_bytes(path: Path, compressed: bool) -> bytes:
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not compressed:
        return head
    unpacking, unpacked = zlib.decompressobj(wbits=31), b""
    for start in range(0, len(head), 256):  # so that damage costs only what is behind it
        try:
            unpacked += unpacking.decompress(head[start : start + 256])
        except zlib.error:
            break
        if len(unpacked) > HEAD_BYTES:
            break
    return unpacked


def utf_16(head: bytes) -> str | None:
    """UTF-16, by its mark, or by the zero bytes that ASCII has in it."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    sample = head[:200]
    even, odd = sample[0::2], sample[1::2]
    if len(odd) > 10 and odd.count(0) > 0.8 * len(odd) and not even.count(0):
        return "utf-16-le"
    if len(even) > 10 and even.count(0) > 0.8 * len(even) and not odd.count(0):
        return "utf-16-be"
    return None


def is_damaged(path: Path) -> bool:
    """Whether a compressed file breaks off or does not unpack."""
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
    except GZIP_DAMAGE:
        return True
    return False


# -- reading what Spark cannot ------------------------------------------------------------------


def records(file: LandedFile, form: Format) -> Iterator[tuple[int, str, bool]]:
    """The records below the header: the number of the first line, the text, and whether the file
    is damaged there, so that nothing follows.

    A record goes over several lines only where none of them is a record by itself and together
    they are one; so a stray quote costs its own line and no other. What ends a field of the first
    column may well look like a record: there the quote decides.
    """
    waiting = deque[tuple[str, bool]]()
    source = lines(file.path, form)
    above = 0
    while True:
        if not waiting:
            waiting.extend(line for line in [next(source, None)] if line)
            if not waiting:
                return
        taken = 1
        if above >= form.header_lines and opens_quotes(waiting[0][0]) and not is_record(waiting[0][0], form):
            taken = lines_of_record(waiting, source, form)
        parts = [waiting.popleft() for _ in range(taken)]
        text, damaged = "".join(part for part, _ in parts).rstrip("\r\n"), parts[-1][1]
        if above >= form.header_lines and (text.strip(" ") or damaged):
            yield above + 1, text, damaged
        above += taken


def lines_of_record(
    waiting: deque[tuple[str, bool]], source: Iterator[tuple[str, bool]], form: Format
) -> int:
    """How many of the lines that wait are one record; more are read from the source as needed."""
    text = waiting[0][0]
    in_first_column = text.lstrip(" ").startswith('"')
    for taken in range(2, RECORD_LINES + 1):
        if len(waiting) < taken:
            waiting.extend(line for line in [next(source, None)] if line)
        if len(waiting) < taken or len(text) > RECORD_CHARACTERS:
            return 1
        line = waiting[taken - 1][0]
        ends_here = in_first_column and opens_quotes(line.split(form.delimiter)[0])
        if is_record(line.rstrip("\r\n"), form) and not ends_here:
            return 1
        text += line
        if not opens_quotes(text):
            return taken if is_record(text.rstrip("\r\n"), form) else 1
    return 1


def opens_quotes(text: str) -> bool:
    return text.count('"') % 2 == 1


def is_record(text: str, form: Format) -> bool:
    """Whether a text has as many fields as the header, and any line break of it in quotes."""
    found = re.findall(field_pattern(form.delimiter), form.delimiter + text)
    if len(found) != form.width or form.delimiter.join(found) != text:
        return False
    return not any("\n" in field and not field.lstrip(" ").startswith('"') for field in found)


def field_pattern(delimiter: str) -> str:
    """What a delimiter and the field after it look like, to Python and to Java: in quotes, with
    quotes inside doubled, or without a quote at its start. Quotes that do not close match as an
    empty field, so that the fields together are less than the text.
    """
    d = f"\\{delimiter}"
    end = rf"(?={d}|(?![\s\S]))"
    return rf"""{d}( *"[^"]*+(?:""[^"]*+)*+" *{end}|[^"{d}][^{d}]*+|)"""


class Salvaged(io.RawIOBase):
    """What a compressed file still gives: it ends where the damage is."""

    def __init__(self, path: Path) -> None:
        self.stream, self.damaged = gzip.open(path), False  # noqa: SIM115 - closed in close

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.stream.read1(len(buffer))
        except GZIP_DAMAGE:
            self.damaged, data = True, b""
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.stream.close()
        super().close()


def lines(path: Path, form: Format) -> Iterator[tuple[str, bool]]:
    """The lines of a file with their ends, and whether the file is damaged in them."""
    packed = Salvaged(path) if form.compressed else None
    stream = io.BufferedReader(packed) if packed else path.open("rb")
    # latin-1 keeps the bytes as they are; newline="" splits at LF, CR and CRLF and keeps them.
    with io.TextIOWrapper(stream, form.encoding or "latin-1", errors="replace", newline="") as text:
        broken_off = False
        for line in text:
            broken_off = bool(packed and packed.damaged and not line.endswith(("\n", "\r")))
            yield line if form.encoding or line.isascii() else text_of(line.encode("latin-1")), broken_off
        if packed and packed.damaged and not broken_off:
            yield "", True


def text_of(line: bytes) -> str:
    """UTF-8, or where it is none Windows-1252."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1").translate(str.maketrans(LATIN, WINDOWS))
