"""The parts of landed files: a file itself, the members of a zip archive, the sheets of a workbook.

What a file is shows in its first bytes, not in its name. Each part is a text with lines and fields, and
`open_part` gives it unpacked.
"""

import gzip
import io
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Literal, cast

from include.landing.files import LandedFile, divided_name, is_hidden, why_not_by_name

GZIP_MARK, ZIP_MARK, OLE_MARK = b"\x1f\x8b", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # in the directory of an .xlsx with a password
WORKBOOK = "xl/workbook.xml"  # in the archive that an .xlsx is
GZIP_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
DAMAGE = (*GZIP_DAMAGE, zipfile.BadZipFile)
HEAD_BYTES = 64 * 1024
HEADS_KEPT = 200  # workbooks; a sheet is loaded whole to see its first lines
STEP = 8192  # bytes that are unpacked at once; those of a step with damage in it are lost
UNPACKED = 6  # times as large as the gzip file, roughly
TEXT_OF_WORKBOOK = 3  # times as large as the workbook
DELIMITERS = b",;\t|"
FEWEST_FIELDS = 4  # an invoice, a date, a customer and an amount

Packing = Literal["plain", "gzip", "zip"]
Kind = Literal["text", "gzip", "zip", "sheet"]


class RefusedError(Exception):
    """A file or a member that is not counted. The message goes behind its name."""


@dataclass(frozen=True)
class Part:
    """A text with lines in a landed file."""

    landed: LandedFile
    packing: Packing
    size: int = field(compare=False)  # bytes of the text: roughly, where only unpacking would tell
    member: str | None = None  # of a zip archive
    sheet: str | None = None  # of a workbook

    @property
    def name(self) -> str | None:
        """The name inside of the landed file; None where the file has one part only, itself."""
        return "/".join(name for name in (self.member, self.sheet) if name is not None) or None

    @property
    def kind(self) -> Kind:
        if self.sheet is not None:
            return "sheet"
        return "text" if self.packing == "plain" else self.packing

    @property
    def in_words(self) -> str:
        """For people: `zip, xlsx`; nothing for plain text."""
        sheet = ["xlsx"] if self.sheet is not None else []
        return ", ".join([*([self.packing] if self.packing != "plain" else []), *sheet])


@dataclass(frozen=True)
class Contents:
    """What is in a landed file."""

    parts: list[Part]
    refused: dict[str, str]  # what is not counted, with the reason: the file, or some of its members


def parts_of(file: LandedFile) -> list[Part]:
    """The parts of a file, in its order."""
    return contents_of(file).parts


def contents_of(file: LandedFile) -> Contents:
    """The parts of a file, and what in it cannot be counted. A file without a part is not counted itself."""
    try:
        with file.path.open("rb") as stream:
            start = stream.read(len(OLE_MARK))
        if start.startswith(OLE_MARK):
            raise RefusedError(why_not_ole(file.path.read_bytes()))
        if start.startswith(ZIP_MARK):
            return contents_of_zip(file)
        table, packing = divided_name(file.path.name)
        if packing == ".zip" or (table.endswith(".xlsx") and not packing):
            raise RefusedError(f"is no {'zip archive' if packing else 'workbook'}, whatever its name says")
        whole = Part(file, "plain", file.size)
        if start.startswith(GZIP_MARK):
            whole = replace(whole, packing="gzip", size=file.size * UNPACKED)
        return Contents(parts_in(whole, table), {})
    except RefusedError as why:
        return Contents([], {file.name: str(why)})


def contents_of_zip(file: LandedFile) -> Contents:
    try:
        with zipfile.ZipFile(file.path) as archive:
            members = {member.filename: member for member in archive.infolist() if not member.is_dir()}
    except zipfile.BadZipFile as error:
        raise RefusedError(f"cannot be opened ({error}); is it complete?") from None
    if WORKBOOK in members:
        return Contents(sheets_of(Part(file, "plain", file.size)), {})
    parts, refused, first_with = [], dict[str, str](), dict[tuple[int, int], str]()
    for name, member in members.items():
        path = PurePosixPath(name)
        if any(is_hidden(folder) for folder in path.parts):
            continue
        try:
            check_member(file, member)
            whole = Part(file, "zip", member.file_size, member=name)
            found = parts_in(whole, path.name.lower())
            first = first_with.setdefault((member.CRC, member.file_size), name)
            if first != name:
                raise RefusedError(f"has the same content as {first}")
            parts += found
        except RefusedError as why:
            refused[f"{file.name}/{name}"] = str(why)
    if not parts:
        inside = "; ".join(f"{name.removeprefix(f'{file.name}/')} {why}" for name, why in refused.items())
        raise RefusedError(f"has nothing that can be read: {inside or 'it is empty'}")
    return Contents(parts, refused)


def check_member(file: LandedFile, member: zipfile.ZipInfo) -> None:
    """Raises RefusedError for a member that is not read, or that cannot be opened."""
    name = PurePosixPath(member.filename).name
    if divided_name(name)[1]:
        raise RefusedError("is an archive in an archive; unpack it")
    if why := why_not_by_name(name):
        raise RefusedError(why)
    try:
        with zipfile.ZipFile(file.path) as archive:
            archive.open(member).close()
    except NotImplementedError as error:
        raise RefusedError(f"is packed in a way that is not read ({error}); pack it again") from None
    except RuntimeError:
        raise RefusedError("needs a password; pack it without one") from None
    except zipfile.BadZipFile as error:
        raise RefusedError(f"cannot be opened ({error}); is the archive complete?") from None


def parts_in(whole: Part, name: str) -> list[Part]:
    """A text as its own part, or the sheets of a workbook."""
    if name.endswith(".xlsx"):
        return sheets_of(whole)
    if whole.packing == "gzip":
        start = head_of(whole)[: len(ZIP_MARK)]
        if start.startswith((ZIP_MARK, GZIP_MARK)):
            raise RefusedError("holds an archive; unpack it")
    if name.endswith(".txt") and not is_table(head_of(whole)):
        raise RefusedError("is text without fields: its lines have no commas, semicolons, tabs or bars")
    return [whole]


def sheets_of(workbook: Part) -> list[Part]:
    """The sheets of a workbook that have a cell."""
    sizes = list(heads_of_sheets(workbook))
    size = workbook.size * TEXT_OF_WORKBOOK // max(1, len(sizes))
    if not sizes:
        raise RefusedError("has no cell in any sheet")
    return [replace(workbook, sheet=name, size=size) for name in sizes]


def why_not_ole(data: bytes) -> str:
    """Old Excel files and workbooks with a password look alike."""
    if ENCRYPTED in data:
        return "needs a password; save it without one"
    return "is a workbook of the old kind (.xls), which is not read; save it as .xlsx or .csv"


def is_table(head: bytes) -> bool:
    """Whether two of the first lines have fields, or the only one."""
    lines = [line for line in head.replace(b"\0", b"").splitlines() if line.strip()]
    return any(
        sum(line.count(delimiter) >= FEWEST_FIELDS - 1 for line in lines) >= min(2, len(lines))
        for delimiter in DELIMITERS
    )


# -- reading ------------------------------------------------------------------------------------


def head_of(part: Part) -> bytes:
    """The first bytes of a part, unpacked. A damaged one gives the bytes before the damage."""
    if part.sheet is not None:
        return heads_of_sheets(replace(part, sheet=None))[part.sheet]
    with io.BufferedReader(UpToDamage(open_part(part))) as stream:
        return stream.read(HEAD_BYTES)


def open_part(part: Part) -> io.BufferedIOBase:
    """The bytes of a part, unpacked. Only plain text can be read from any place."""
    stream = open_packed(part)
    if part.sheet is None:
        return stream
    from include.landing.workbooks import sheet_text

    with stream:
        return io.BytesIO(sheet_text(stream.read(), part.sheet))


def open_packed(part: Part) -> io.BufferedIOBase:
    """The bytes of the text or workbook that a part is, or is a sheet of."""
    if part.packing == "gzip":
        return gzip.GzipFile(part.landed.path)
    if part.member is not None:
        with zipfile.ZipFile(part.landed.path) as archive:
            return cast(io.BufferedIOBase, archive.open(part.member))
    return part.landed.path.open("rb")


@lru_cache(maxsize=HEADS_KEPT)
def heads_of_sheets(workbook: Part) -> dict[str, bytes]:
    """The first bytes of each sheet of a workbook. Raises RefusedError for one that cannot be read."""
    # Polars is imported here, since a task that finds nothing new plans without it.
    from include.landing.workbooks import WorkbookError, sheets

    try:
        with open_packed(workbook) as stream:
            return {name: text[:HEAD_BYTES] for name, text in sheets(stream.read())}
    except (WorkbookError, *DAMAGE) as error:
        raise RefusedError(f"cannot be opened ({error}); save it again as .xlsx or .csv") from None


class UpToDamage(io.RawIOBase):
    """The content of a packed file up to its end or to the first damage."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self.stream, self.damaged = stream, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.stream.read1(min(len(buffer), STEP))
        except DAMAGE:
            self.damaged, data = True, b""
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.stream.close()
        super().close()
