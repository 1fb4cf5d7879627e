"""Reads the files that Spark cannot read line by line: UTF-16, line breaks in quotes, damaged gzip files.

One record is read at a time, so a large file needs little memory.
"""

import gzip
import io
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from include.landing.files import LandedFile
from include.landing.formats import GZIP_DAMAGE, LATIN, WINDOWS, Format, field_pattern

# The limits of a record with line breaks: a quote that never closes must not swallow the rest of the file.
RECORD_LINES, RECORD_CHARACTERS = 1_000, 1 << 20


class TextLine(NamedTuple):
    text: str  # with its line end
    damaged: bool  # whether the file breaks off in this line


class Lookahead:
    """Lines that can be looked at before they are taken."""

    def __init__(self, lines: Iterator[TextLine]) -> None:
        self.lines = lines
        self.waiting = deque[TextLine]()

    def peek(self, ahead: int) -> TextLine | None:
        """The line so far ahead of the next one, or None after the last line."""
        while len(self.waiting) <= ahead:
            line = next(self.lines, None)
            if line is None:
                return None
            self.waiting.append(line)
        return self.waiting[ahead]

    def take(self, count: int) -> list[TextLine]:
        return [self.waiting.popleft() for _ in range(count)]


def records(file: LandedFile, form: Format) -> Iterator[tuple[int, str, bool]]:
    """The records below the header: the number of the first line, the text, and whether the file breaks off
    in this record, which is then the last one.

    Lines form one record only if none of them is a record by itself and together they are one. So a stray
    quote costs its own line and no other. The end of a multi-line field in the first column can look like
    a complete record, so there the closing quote decides.
    """
    lines = Lookahead(decoded_lines(file.path, form))
    above = 0
    while first := lines.peek(0):
        below_header = above >= form.header_lines
        count = 1
        if below_header and has_open_quote(first.text) and not is_record(first.text, form):
            count = count_lines_of_record(first.text, lines, form)
        parts = lines.take(count)
        text, damaged = "".join(part.text for part in parts).rstrip("\r\n"), parts[-1].damaged
        if below_header and (text.strip(" ") or damaged):
            yield above + 1, text, damaged
        above += count


def count_lines_of_record(first: str, lines: Lookahead, form: Format) -> int:
    """How many of the next lines form one record that begins with the open quote of the first line. Returns 1
    if they form none."""
    text = first
    in_first_column = first.lstrip(" ").startswith('"')
    for place in range(1, RECORD_LINES):
        line = lines.peek(place)
        if line is None or len(text) > RECORD_CHARACTERS:
            return 1
        ends_here = in_first_column and has_open_quote(line.text.split(form.delimiter)[0])
        if is_record(line.text.rstrip("\r\n"), form) and not ends_here:
            return 1
        text += line.text
        if not has_open_quote(text):
            return place + 1 if is_record(text.rstrip("\r\n"), form) else 1
    return 1


def has_open_quote(text: str) -> bool:
    """Whether the number of quotes is odd."""
    return text.count('"') % 2 == 1


def is_record(text: str, form: Format) -> bool:
    """Whether a text has as many fields as the header, and line breaks only in quotes."""
    found = re.findall(field_pattern(form.delimiter), form.delimiter + text)
    if len(found) != form.width or form.delimiter.join(found) != text:
        return False
    return not any("\n" in field and not field.lstrip(" ").startswith('"') for field in found)


class TruncatedGzip(io.RawIOBase):
    """The content of a gzip file up to its end or to the first damage."""

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


def decoded_lines(path: Path, form: Format) -> Iterator[TextLine]:
    """The lines of a file. If it breaks off after a line end, an empty damaged line follows."""
    packed = TruncatedGzip(path) if form.compressed else None
    stream = io.BufferedReader(packed) if packed else path.open("rb")
    # latin-1 keeps the bytes as they are; newline="" splits at LF, CR and CRLF and keeps them.
    with io.TextIOWrapper(stream, form.encoding or "latin-1", errors="replace", newline="") as text:
        damaged = False
        for line in text:
            damaged = bool(packed and packed.damaged and not line.endswith(("\n", "\r")))
            is_decoded = form.encoding or line.isascii()
            yield TextLine(line if is_decoded else decode(line.encode("latin-1")), damaged)
        if packed and packed.damaged and not damaged:
            yield TextLine("", True)


def decode(line: bytes) -> str:
    """The text of a line in UTF-8, or in Windows-1252 if it is not valid UTF-8."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1").translate(str.maketrans(LATIN, WINDOWS))
