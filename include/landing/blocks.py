"""Landed files as blocks that several tasks read at once.

A block is whole lines, and never ends inside a record whose line breaks are in quotes: that is decided from
the lines around its end.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from include.landing.chunks import CHUNK
from include.landing.formats import LINE_END, Format, FormattedFile
from include.landing.records import LONGEST_RECORD, first_record_from

SMALLEST_BLOCK, LARGEST_BLOCK = 16 << 20, 128 << 20  # bytes
BLOCKS_PER_CORE = 4
FIRST_LINE_END = re.compile(LINE_END.encode())


@dataclass(frozen=True)
class Block:
    """Some lines of a part of a landed file, or all of them."""

    file: FormattedFile
    start: int  # bytes of its text, roughly where that is packed
    end: int
    first_line: int

    @property
    def size(self) -> int:
        return self.end - self.start


def blocks(files: Sequence[FormattedFile], cores: int) -> list[Block]:
    """The files as blocks, such that every core gets some."""
    size = block_size(sum(file.part.size for file in files), cores)
    return [block for file in files for block in blocks_of(file, size)]


def block_size(total: int, cores: int) -> int:
    return min(LARGEST_BLOCK, max(SMALLEST_BLOCK, total // (BLOCKS_PER_CORE * cores)))


def blocks_of(file: FormattedFile, size: int) -> list[Block]:
    """A part in blocks of about this size. Only plain text that is not UTF-16 can be read from any place."""
    whole = file.part.size
    if whole <= size or file.part.kind != "text" or file.format.encoding:
        return [Block(file, 0, whole, 1)]
    with file.landed.path.open("rb") as stream:
        found = (record_after(stream, at, file.format) for at in range(size, whole - size // 2, size))
        edges = [0, *sorted({place for place in found if place is not None and place < whole}), whole]
        parts, first_line = [], 1
        for start, end in pairwise(edges):
            parts.append(Block(file, start, end, first_line))
            first_line += count_lines(stream, start, end)
    return parts


def record_after(stream: BinaryIO, at: int, form: Format) -> int | None:
    """The place of the first record that begins at `at` or shortly after it; None where none does."""
    start = max(0, at - 2 * LONGEST_RECORD)
    stream.seek(start)
    window = stream.read(at - start + 4 * LONGEST_RECORD)
    end_of_a_line = FIRST_LINE_END.search(window) if start else None
    skipped = end_of_a_line.end() if end_of_a_line else 0
    place = first_record_from(at - start - skipped, window[skipped:], form)
    return None if place is None else start + skipped + place


def count_lines(stream: BinaryIO, start: int, end: int) -> int:
    """The number of line ends between two places."""
    stream.seek(start)
    count, left, last = 0, end - start, b""
    while left and (data := stream.read(min(left, CHUNK))):
        divided_end = last == b"\r" and data.startswith(b"\n")
        count += data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n") - divided_end
        left, last = left - len(data), data[-1:]
    return count
