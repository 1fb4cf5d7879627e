"""How a landed file is read: encoding, delimiter, header and columns, detected from its first lines."""

import csv
import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from include.errors import InputError
from include.landing.files import LandedFile
from include.settings import Columns

HEAD_BYTES = 64 * 1024
UTF_16_SAMPLE_BYTES = 200
LONGEST_HEADER = 200  # characters of a header that a message shows
HEADER_MAY_START_BY_LINE = 10
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LINE_END = r"\r\n|\r|\n"
GZIP_MARK = b"\x1f\x8b"
GZIP_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)

# ISO-8859-1 and Windows-1252 differ only in the bytes 80 to 9F. LATIN has the characters of ISO-8859-1 for
# them. WINDOWS has those of Windows-1252, or of ISO-8859-1 where Windows-1252 leaves a byte undefined.
LATIN = "".join(map(chr, range(0x80, 0xA0)))
WINDOWS = "".join(bytes([code]).decode("cp1252", errors="ignore") or chr(code) for code in range(0x80, 0xA0))


@dataclass(frozen=True)
class Format:
    """How a landed file is read."""

    compressed: bool
    encoding: str | None  # UTF-16; None: each line is UTF-8, or Windows-1252 if it is not valid UTF-8
    header_lines: int  # lines up to the header, including it
    delimiter: str
    width: int  # columns in the header; 0 if the file has no header with our columns
    places: tuple[int, ...]  # the position of each of our columns in the header

    @property
    def in_words(self) -> str:
        """For people: `gzip, UTF-8 or Windows-1252, semicolons, header in line 2`."""
        if not self.width:
            return "no header with our columns"
        packed = ["gzip"] if self.compressed else []
        encoding = self.encoding.upper() if self.encoding else "UTF-8 or Windows-1252"
        return ", ".join(
            [*packed, encoding, DELIMITERS[self.delimiter], f"header in line {self.header_lines}"]
        )

    @property
    def of_lines(self) -> "Format":
        """What decides how the lines below the header are typed: equal for files that are alike."""
        return Format(False, None, 0, self.delimiter, self.width, self.places)


@dataclass(frozen=True)
class FormattedFile:
    """A landed file, and how it is read."""

    landed: LandedFile
    format: Format

    @property
    def name(self) -> str:
        return self.landed.name


def formatted_files(files: Sequence[LandedFile], columns: Columns) -> list[FormattedFile]:
    """The files, with their formats. Raises InputError as file_format does."""
    return [FormattedFile(file, file_format(file, columns)) for file in files]


def file_format(file: LandedFile, columns: Columns) -> Format:
    """Detect the format of a file. Its header may follow blank lines and Excel's `sep=;`.

    Raises InputError when the header has some of our columns, but not each of them exactly once.
    """
    compressed = is_gzip(file.path)
    head = read_head(file.path, compressed)
    encoding = utf_16_encoding(head)
    text = head.decode(encoding or "utf-8", errors="replace").removeprefix("\ufeff")
    lines = re.split(LINE_END, text, maxsplit=HEADER_MAY_START_BY_LINE)[:HEADER_MAY_START_BY_LINE]
    above = list(takewhile(may_be_above_header, lines))
    header = lines[len(above)] if len(above) < len(lines) else ""
    delimiter = max(DELIMITERS, key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    found = places_of_columns(names, columns)
    if not any(found.values()):
        return Format(compressed, encoding, 0, ",", 0, ())
    header_lines = len(above) + 1
    if wrong := [columns.first_name(column) for column, places in found.items() if len(places) != 1]:
        raise InputError(
            f"{file.name}: line {header_lines}: column {', '.join(wrong)} missing or doubled in the header. "
            f"Correct the file, or the names under landing.columns in segmentation.yaml, or set it aside as "
            f"_{file.path.name}: it stops every date. Its header has {', '.join(names)[:LONGEST_HEADER]}"
        )
    places = tuple(places[0] for places in found.values())
    return Format(compressed, encoding, header_lines, delimiter, len(names), places)


def may_be_above_header(line: str) -> bool:
    return is_blank(line) or line.lower().startswith("sep=")


def is_blank(line: str) -> bool:
    return not line.strip(" ")


def places_of_columns(header: list[str], columns: Columns) -> dict[str, list[int]]:
    """The positions in the header at which each of our columns occurs."""
    names = [name.lower() for name in header]
    return {
        column: [place for place, name in enumerate(names) if name in accepted]
        for column, accepted in columns.names.items()
    }


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed, whatever its name."""
    with path.open("rb") as stream:
        return stream.read(len(GZIP_MARK)) == GZIP_MARK


def read_head(path: Path, compressed: bool) -> bytes:
    """The first bytes of a file, unpacked. A damaged file gives the bytes before the damage."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not compressed:
        return head
    unpacking, unpacked = zlib.decompressobj(wbits=31), b""
    for start in range(0, len(head), 256):  # in small steps: a step with damage in it gives nothing
        try:
            unpacked += unpacking.decompress(head[start : start + 256])
        except zlib.error:
            break
        if len(unpacked) > HEAD_BYTES:
            break
    return unpacked


def utf_16_encoding(head: bytes) -> str | None:
    """The UTF-16 encoding of a file, or None. It shows by a byte order mark, or by the zero bytes of ASCII
    characters."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    sample = head[:UTF_16_SAMPLE_BYTES]
    even, odd = sample[0::2], sample[1::2]
    if is_mostly_zero(odd) and not even.count(0):
        return "utf-16-le"
    if is_mostly_zero(even) and not odd.count(0):
        return "utf-16-be"
    return None


def is_mostly_zero(sample: bytes) -> bool:
    return len(sample) > 10 and sample.count(0) > 0.8 * len(sample)
