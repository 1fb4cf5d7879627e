"""Landed files with the same content: delivered twice, or again in another wrapping (gzip, zip, CRLF).

The content of a text is its bytes, unpacked, with LF as line ends; that of a workbook are its bytes. Nearly
all differ in their first lines, which a sketch has. Only those that do not are read for a digest.
"""

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from include.landing.files import Identity, LandedFile
from include.landing.parts import Part, UpToDamage, open_packed, parts_of

SKETCHED = 4096  # bytes of the content
CHUNK = 1 << 20
PACKED = "packed"


@dataclass(frozen=True)
class Unit:
    """A text or a workbook in a landed file. The digest is known only where it was needed."""

    member: str | None  # of an archive that has several
    size: int
    sketch: str
    sha256: str | None = None

    @property
    def wrapping(self) -> str:
        return self.sketch.partition(":")[0]

    @property
    def start(self) -> str:
        return self.sketch.partition(":")[2]


@dataclass(frozen=True)
class Content:
    """What a landed file held when it had this identity; no unit where nobody has looked into it."""

    size: int
    modified: int
    units: tuple[Unit, ...] = ()

    @property
    def identity(self) -> Identity:
        return self.size, self.modified


def with_digests(contents: Mapping[str, Content], files: Iterable[LandedFile]) -> dict[str, Content]:
    """The contents with their units, and the digest of each that may be the same as another one.

    What is unknown is computed from the file while its identity is still that of the content. Once the file
    has changed, nothing tells what it held.
    """
    unchanged = [file for file in files if identity_of(file.name, contents) == file.identity]
    found = dict(contents)
    for file in unchanged:
        if not found[file.name].units:
            found[file.name] = replace(found[file.name], units=units_of(file))
    likely = likely_copies(unit for content in found.values() for unit in content.units)
    for file in unchanged:
        if any(unit in likely and not unit.sha256 for unit in found[file.name].units):
            found[file.name] = replace(found[file.name], units=digested(file, found[file.name].units, likely))
    return found


def identity_of(name: str, contents: Mapping[str, Content]) -> Identity | None:
    return contents[name].identity if name in contents else None


def copies(contents: Mapping[str, Content]) -> dict[str, str]:
    """The files of which all is in files that count: the name of the first such file, or of its member.

    Of alike files the first of the contents counts, but an archive of several members counts before its
    members do.
    """
    first_with, found = dict[str, str](), dict[str, str]()
    for name in sorted(contents, key=lambda name: len(contents[name].units) < 2):
        units = contents[name].units
        if units and all(unit.sha256 in first_with for unit in units):
            found[name] = first_with[units[0].sha256 or ""]
            continue
        for unit in units:
            if unit.sha256:
                first_with.setdefault(unit.sha256, f"{name}/{unit.member}" if unit.member else name)
    return found


def likely_copies(units: Iterable[Unit]) -> set[Unit]:
    """The units that begin like another one. Where all of these are plain text with the same line ends, those
    of the same size: each full export begins like the one before."""
    alike = defaultdict[str, list[Unit]](list)
    for unit in units:
        if unit.size:
            alike[unit.start].append(unit)
    found = set[Unit]()
    for group in alike.values():
        if len(group) > 1:
            wrappings = {unit.wrapping for unit in group}
            has_one = len(wrappings) == 1 and wrappings != {PACKED}
            sizes = Counter(unit.size for unit in group)
            found |= {unit for unit in group if not has_one or sizes[unit.size] > 1}
    return found


def units_of(file: LandedFile) -> tuple[Unit, ...]:
    """What is in a file, with its sketches."""
    parts = wholes(file)
    return tuple(Unit(part.member if len(parts) > 1 else None, part.size, sketch(part)) for part in parts)


def sketch(part: Part) -> str:
    """How a text or workbook is wrapped and a digest of how it begins: `lf:`, `crlf:` or `packed:`."""
    with io.BufferedReader(UpToDamage(open_packed(part))) as stream:
        start = stream.read(2 * SKETCHED + 1)
    wrapping = PACKED if part.packing != "plain" else "crlf" if b"\r\n" in start else "lf"
    start = start if is_workbook(part) else start.replace(b"\r\n", b"\n")
    return f"{wrapping}:{hashlib.sha256(start[:SKETCHED]).hexdigest()[:32]}"


def digested(file: LandedFile, units: Iterable[Unit], likely: set[Unit]) -> tuple[Unit, ...]:
    """The units of a file, with the digests of those that are likely to be copies."""
    return tuple(
        replace(unit, sha256=digest(part)) if unit in likely and not unit.sha256 else unit
        for part, unit in zip(wholes(file), units, strict=True)
    )


def digest(part: Part) -> str:
    """A digest of a text or workbook. Damage is part of the content."""
    packed, found = UpToDamage(open_packed(part)), hashlib.sha256()
    with io.BufferedReader(packed, CHUNK) as stream:
        for piece in iter(lambda: stream.read(CHUNK), b"") if is_workbook(part) else unified(stream):
            found.update(piece)
    if packed.damaged:
        found.update(b"\0damaged")
    return found.hexdigest()


def wholes(file: LandedFile) -> list[Part]:
    """The texts and workbooks of a file."""
    return list(
        dict.fromkeys(replace(part, sheet="") if is_workbook(part) else part for part in parts_of(file))
    )


def is_workbook(part: Part) -> bool:
    return part.sheet is not None


def unified(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """The bytes of a text with LF for each CRLF."""
    held = b""
    while data := stream.read(CHUNK):
        data = held + data
        held = data[-1:] if data.endswith(b"\r") else b""
        yield data[: len(data) - len(held)].replace(b"\r\n", b"\n")
    yield held
