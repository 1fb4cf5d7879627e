"""How a landed file is to be read, decided from its first lines: encoding, delimiter, header, columns."""

import csv
import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from include.errors import InputError
from include.landing.files import LandedFile
from include.settings import Columns

HEAD_BYTES = 64 * 1024
HEADER_MAY_START_BY_LINE = 10
GZIP_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)

# Windows-1252 is ISO-8859-1 but for these.
LATIN = "".join(map(chr, range(0x80, 0xA0)))
WINDOWS = "".join(bytes([code]).decode("cp1252", errors="ignore") or chr(code) for code in range(0x80, 0xA0))


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


def file_format(file: LandedFile, columns: Columns) -> Format:
    """The format told by the file's first lines. The header may follow blank lines or Excel's
    `sep=;`. Raises InputError when the header has some of our columns, but not each of them once."""
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
            raise InputError(
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


def unpacks(path: Path) -> bool:
    """Whether a compressed file can be read to its end."""
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
    except GZIP_DAMAGE:
        return False
    return True


def field_pattern(delimiter: str) -> str:
    """What a delimiter and the field after it look like, to Python and to Java: in quotes, with
    quotes inside doubled, or without a quote at its start. Quotes that do not close match as an
    empty field, so that the fields together are less than the text.
    """
    d = f"\\{delimiter}"
    end = rf"(?={d}|(?![\s\S]))"
    return rf"""{d}( *"[^"]*+(?:""[^"]*+)*+" *{end}|[^"{d}][^{d}]*+|)"""
