"""The bytes of a part of a landed file, or of a block of it, in chunks: unpacked, and UTF-16 as UTF-8."""

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass

from include.landing.formats import FormattedFile
from include.landing.parts import UpToDamage, open_part

CHUNK = 4 << 20  # bytes; reading needs a multiple of this as memory


@dataclass(frozen=True)
class Chunk:
    """Some bytes, which may end inside of a line."""

    data: bytes
    is_last: bool
    breaks_off: bool = False  # a packed file is damaged after these bytes


def chunks(file: FormattedFile, start: int, end: int) -> Iterator[Chunk]:
    """The bytes of a part from start to end, at least one chunk, without a byte order mark. The places are
    those of plain text on disk, and of no meaning for another kind, which is read whole."""
    opened = open_part(file.part)
    packed = UpToDamage(opened) if file.part.kind != "text" else None
    with io.BufferedReader(packed) if packed else opened as stream:
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
