"""The bytes of a landed file, or of a part of it, in chunks: unpacked, and UTF-16 as UTF-8."""

import codecs
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.landing.formats import GZIP_DAMAGE, FormattedFile

CHUNK = 4 << 20  # bytes; reading needs a multiple of this as memory


@dataclass(frozen=True)
class Chunk:
    """Some bytes, which may end inside of a line."""

    data: bytes
    is_last: bool
    breaks_off: bool = False  # a compressed file is damaged after these bytes


def chunks(file: FormattedFile, start: int, end: int) -> Iterator[Chunk]:
    """The bytes of a file from start to end, at least one chunk, without a byte order mark. The places are
    those of the file on disk, and of no meaning for a compressed one."""
    packed = TruncatedGzip(file.landed.path) if file.format.compressed else None
    with io.BufferedReader(packed) if packed else file.landed.path.open("rb") as stream:
        if not packed:
            stream.seek(start)
        pieces = pieces_of(stream, None if packed else end - start)
        text = decoded(pieces, file.format.encoding) if file.format.encoding else pieces
        data = next(text, b"")
        data = data.removeprefix(codecs.BOM_UTF8) if start == 0 else data
        for following in text:
            yield Chunk(data, is_last=False)
            data = following
        yield Chunk(data, is_last=True, breaks_off=packed is not None and packed.damaged)


def pieces_of(stream: io.BufferedIOBase, size: int | None) -> Iterator[bytes]:
    """The next bytes of a stream: a number of them, or all."""
    left = size
    while left != 0 and (data := stream.read(CHUNK if left is None else min(left, CHUNK))):
        left = None if left is None else left - len(data)
        yield data


def decoded(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The same text in UTF-8, with a replacement character for what is no text."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for piece in pieces:
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()


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
