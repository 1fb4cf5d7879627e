"""Reading at its limits: `ingest` of very many small files, and of a single large one."""

import os
import shutil
from datetime import date
from itertools import cycle
from pathlib import Path
from typing import Any

import polars as pl

from include.lake.manifest import read_ingested
from include.lake.paths import Lake
from tests.benchmarks.measure import CONFIG, job, landed
from tests.benchmarks.shop import YEAR_2020


def deal_out(shop: Path, folder: Path, files: int) -> Path:
    """The lines of a shop in so many files."""
    folder.mkdir(parents=True)
    lines = pl.concat(pl.read_csv(file, infer_schema=False) for file in sorted(shop.glob("*.csv")))
    for number in range(files):
        start, end = (lines.height * place // files for place in (number, number + 1))
        file = folder / f"{number:06}.csv"
        lines[start:end].write_csv(file)
        os.utime(file, (YEAR_2020, YEAR_2020))
    return folder


def joined(shop: Path, folder: Path, size: int) -> Path:
    """The files of a shop as one, from the first one again until it has this many bytes."""
    folder.mkdir(parents=True)
    target = folder / "large.csv"
    with target.open("wb") as to:
        for file in cycle(sorted(shop.glob("*.csv"))):
            with file.open("rb") as lines:
                header = lines.readline()
                to.write(b"" if to.tell() else header)
                shutil.copyfileobj(lines, to)
            if to.tell() >= size:
                break
    os.utime(target, (YEAR_2020, YEAR_2020))
    return folder


def ingest_of(data: Path, folder: Path) -> dict[str, Any]:
    """Seconds, processor seconds and memory of `ingest` in a new lake, and what it has read."""
    files = sorted(data.glob("*.csv"))
    lake = Lake(landed(folder / "lake", files))
    measured = job("ingest", lake.root, date(2020, 1, 1), folder / "jobs.log")
    assert not measured.failed, measured.failed
    manifest = read_ingested(lake.ingested(CONFIG.settings.ingest_fingerprint))
    assert len(manifest.files) == len(files), "some files were not read"
    return {
        "bytes": sum(file.stat().st_size for file in files),
        "lines": sum(entry.rows for entry in manifest.files.values()),
        "seconds": measured.seconds,
        "processor_seconds": measured.processor_seconds,
        "peak_mib": measured.peak_mib,
    }
