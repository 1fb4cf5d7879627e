"""Deliveries: each part of a landed file delivers invoices. The newest one can own an invoice whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from include.lake.manifest import IngestedFile


@dataclass(frozen=True)
class Delivery:
    """A part of a landed file. An invoice number of one format is one invoice."""

    file: str
    part: str | None
    shop_format: str

    @property
    def in_words(self) -> str:
        return f"{self.file} ({self.part})" if self.part else self.file


def deliveries(files: Mapping[str, IngestedFile]) -> list[Delivery]:
    """The deliveries of files, the oldest first: by modification time, then name, then place in the file."""
    return [
        Delivery(name, part.name, part.shop_format)
        for name, file in sorted(files.items(), key=lambda named: delivery_order(*named))
        for part in file.parts or []
        if part.shop_format
    ]


def shop_folder(file: str) -> str:
    """The folder below `landing/` that may be a shop's. One without letters is a year or a month."""
    first, *more = PurePosixPath(file).parts
    return first if more and any(letter.isalpha() for letter in first) else ""


def delivery_order(name: str, file: IngestedFile) -> tuple[int, str]:
    """Of two files, the one with the higher order is newer."""
    return file.modified, name
