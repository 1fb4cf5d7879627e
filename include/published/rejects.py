"""Examples of rejected lines, from the rejects.csv of a snapshot."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from include.published.files import original_value
from include.published.snapshot import missing
from include.published.tables import REJECTS

SAMPLES = 3  # of each reason
LONGEST = 300  # characters of a line


@dataclass(frozen=True)
class Sample:
    """A rejected line."""

    file: str  # and the part of it: `orders.xlsx/Sheet1`
    line: str
    raw: str


def read_samples(folder: Path) -> dict[str, list[Sample]]:
    """The first lines of each reason. Raises OutdatedError where the file is missing or damaged."""
    found: dict[str, list[Sample]] = {}
    for row in rows(folder / f"{REJECTS.name}.csv"):
        samples = found.setdefault(row["reason"], [])
        if len(samples) < SAMPLES:
            raw = original_value(row["raw"])
            place = [row["file"], row.get("part")]  # earlier code wrote no part
            file = "/".join(original_value(name) for name in place if name)
            samples.append(Sample(file, row["line"], shortened(raw)))
    return found


def rows(file: Path) -> Iterator[dict[str, str]]:
    csv.field_size_limit(2**31 - 1)  # a rejected line may be one huge field
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            yield from csv.DictReader(stream)
    except (OSError, ValueError, csv.Error) as error:
        raise missing(file) from error


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
