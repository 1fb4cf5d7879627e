"""Files that Spark cannot read line by line: UTF-16, line breaks in quotes, damaged compressed files.

They are read here in Python, one record at a time and never as a whole.
"""

import gzip
import io
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from include.landing.files import LandedFile
from include.landing.formats import GZIP_DAMAGE, LATIN, WINDOWS, Format, field_pattern

RECORD_LINES, RECORD_CHARACTERS = 1_000, 1 << 20  # the most that a record with line breaks may have


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
        if (
            above >= form.header_lines
            and has_open_quote(waiting[0][0])
            and not is_record(waiting[0][0], form)
        ):
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
        ends_here = in_first_column and has_open_quote(line.split(form.delimiter)[0])
        if is_record(line.rstrip("\r\n"), form) and not ends_here:
            return 1
        text += line
        if not has_open_quote(text):
            return taken if is_record(text.rstrip("\r\n"), form) else 1
    return 1


def has_open_quote(text: str) -> bool:
    return text.count('"') % 2 == 1


def is_record(text: str, form: Format) -> bool:
    """Whether a text has as many fields as the header, and any line break of it in quotes."""
    found = re.findall(field_pattern(form.delimiter), form.delimiter + text)
    if len(found) != form.width or form.delimiter.join(found) != text:
        return False
    return not any("\n" in field and not field.lstrip(" ").startswith('"') for field in found)


class TruncatedGzip(io.RawIOBase):
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
    packed = TruncatedGzip(path) if form.compressed else None
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
