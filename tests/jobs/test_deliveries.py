"""Deliveries of every kind, in seeded disorder: the lake is always the one made from scratch."""

import csv
import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.jobs.conftest import RunJob
from tests.laws.fuzz import landing_file, valid_row
from tests.tables import LONG_AGO, csv_bytes, land, line

Snapshot = Callable[..., Path]
PARAMS = {"export_cleaned_data": True}


class Shop:
    """A landing folder and what may happen to it."""

    def __init__(self, landing: Path, random: Random) -> None:
        self.landing, self.random, self.clock = landing, random, LONG_AGO
        self.names = 0

    def files(self) -> list[Path]:
        return sorted(path for path in self.landing.rglob("*") if path.is_file())

    def write(self, name: str, data: bytes) -> None:
        file = land(self.landing, name, data)
        self.clock += 1
        os.utime(file, (self.clock, self.clock))

    def lines(self) -> bytes:
        first = self.random.randrange(100_000, 900_000)
        rows = [valid_row(self.random, first + n) for n in range(self.random.randrange(1, 20))]
        return csv_bytes(*[row.text for row in rows])

    def new(self) -> None:
        self.names += 1
        folder = self.random.choice(["", "late/", "2010/12/", "an odd, name/"])
        name, data = f"{folder}{self.random.randrange(100):02}-{self.names}.csv", self.lines()
        if self.random.random() < 0.3:
            name, data = f"{name}.gz", gzip.compress(data, mtime=0)
        self.write(name, data)

    def damaged(self) -> None:
        self.names += 1
        file = landing_file(self.random, f"damaged-{self.names}.csv")
        if "header" not in " ".join(file.damage):  # a header with half of our columns stops the run
            self.write(file.name, file.data)

    def changed(self) -> None:
        self.write(self.a_file(), self.lines())

    def changed_and_of_the_same_size(self) -> None:
        name = self.a_file()
        self.write(name, (self.landing / name).read_bytes().replace(b"1", b"2"))

    def deleted(self) -> None:
        if len(self.files()) > 2:
            (self.landing / self.a_file()).unlink()

    def renamed(self) -> None:
        self.names += 1
        old = self.landing / self.a_file()
        old.rename(old.with_name(f"renamed {self.names} {old.name}"))

    def doubled(self) -> None:
        self.names += 1
        old = self.landing / self.a_file()
        name = f"{self.random.choice(['0', 'z'])} copy {self.names}{''.join(old.suffixes)}"
        self.write(name, old.read_bytes())

    def touched(self) -> None:
        name = self.a_file()
        self.write(name, (self.landing / name).read_bytes())

    def a_file(self) -> str:
        return self.random.choice(self.files()).relative_to(self.landing).as_posix()

    def something_happens(self) -> str:
        happens = self.random.choice(
            [
                *[self.new, self.new, self.damaged, self.changed, self.changed_and_of_the_same_size],
                *[self.deleted, self.deleted, self.renamed, self.doubled, self.doubled, self.touched],
            ]
        )
        happens()
        return happens.__name__


def published(folder: Path) -> dict[str, Any]:
    """All that is published, of the record what does not depend on the time and the lake's past."""
    found: dict[str, Any] = {f.name: f.read_bytes() for f in folder.iterdir() if f.name != "run.json"}
    record = json.loads((folder / "run.json").read_text())
    of_past = {"batch", "sha256"}
    found["input_files"] = {
        name: {key: value for key, value in file.items() if key not in of_past}
        for name, file in record["input_files"].items()
    }
    counts = ("rows_in", "rows_out", "rejects", "files_landed", "files_not_counted")
    found["stages"] = {
        task: {key: stage[key] for key in counts if key in stage} for task, stage in record["stages"].items()
    }
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_the_lake_is_always_the_one_made_from_scratch(snapshot: Snapshot, tmp_path: Path, seed: int) -> None:
    shop = Shop(tmp_path / "lake" / "landing", Random(seed))
    for _ in range(4):
        shop.new()
    for round in range(3):
        happened = [shop.something_happens() for _ in range(5)]
        found = published(snapshot(tmp_path / "lake", params=PARAMS))
        shutil.copytree(shop.landing, tmp_path / f"scratch {round}" / "landing")
        wanted = published(snapshot(tmp_path / f"scratch {round}", params=PARAMS))
        assert found == wanted, happened
        for name, file in found["input_files"].items():
            assert file["rows"] == file["kept"] + sum(file["rejects"].values()), name
            assert file["kept"] == file["clean"]["kept"] + sum(file["clean"]["rejects"].values()), name


def test_a_task_cleared_alone_publishes_all_of_its_snapshot_or_nothing(
    run: RunJob, snapshot: Snapshot, tmp_path: Path
) -> None:
    """The lines behind a snapshot may be gone by then."""
    lake = tmp_path / "lake"
    first = land(lake / "landing", "first.csv", csv_bytes(line(), line(quantity="x"), line(customer="")))
    wanted = published(snapshot(lake, "2011-02-09", PARAMS))
    shutil.rmtree(lake / "ingested")  # a cache, so that the next run writes the lines anew
    shutil.rmtree(lake / "cleaned")
    land(lake / "landing", "second.csv", csv_bytes(line(invoice="536366")))
    snapshot(lake, "2011-02-10", PARAMS)
    assert run("publish", lake, "2011-02-09", PARAMS).code == 0
    assert published(lake / "published" / "as_of=2011-02-09") == wanted

    first.write_bytes(csv_bytes(line(quantity="7")))
    snapshot(lake, "2011-02-10", PARAMS)
    message = run("publish", lake, "2011-02-09", PARAMS).refusal
    assert "the lines of first.csv have been replaced meanwhile; clear the run from ingest on" in message
    assert published(lake / "published" / "as_of=2011-02-09") == wanted


def test_a_file_replaced_between_ingest_and_clean_counts_as_it_is_now(
    run: RunJob, snapshot: Snapshot, tmp_path: Path
) -> None:
    """Its first lines lie in one batch with those of a file that is clean's to read."""
    shop = Shop(tmp_path / "lake" / "landing", Random(4))
    for name in ("stays.csv", "replaced.csv"):
        shop.write(name, shop.lines())
    assert run("ingest", tmp_path / "lake").code == 0
    shop.write("replaced.csv", shop.lines())
    shutil.copytree(shop.landing, tmp_path / "scratch" / "landing")
    found, wanted = (published(snapshot(tmp_path / lake, params=PARAMS)) for lake in ("lake", "scratch"))
    assert found == wanted


def test_an_amount_beyond_a_billion_counts_to_the_penny_and_leaves_with_its_file(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    """Amounts are added up in another way as long as one is there."""
    landing = tmp_path / "lake" / "landing"
    usual = [line(), line(invoice="C536366", quantity="-1", price="0.005")]
    land(landing, "usual.csv", csv_bytes(*usual))
    large = land(landing, "large.csv", csv_bytes(line(invoice="536367", quantity="6", price="999999999.99")))

    def monetary() -> list[str]:
        with (snapshot(tmp_path / "lake") / "rfm_df.csv").open(newline="") as file:
            return [row["monetary"] for row in csv.DictReader(file)]

    assert monetary() == ["6000000015.24"]  # 15.30 - 0.005 + 5,999,999,999.94, half a penny up
    large.unlink()
    assert monetary() == ["15.30"]


def test_what_is_lost_from_the_lake_is_made_again(snapshot: Snapshot, tmp_path: Path) -> None:
    """All between landing and published is a cache."""
    shop = Shop(tmp_path / "lake" / "landing", Random(3))
    for _ in range(3):
        shop.new()
    wanted = published(snapshot(tmp_path / "lake", params=PARAMS))
    for lost in ("ingested/*/batch=*", "orders/*/batch=*", "segments", "cleaned"):
        for folder in (tmp_path / "lake").glob(lost):
            shutil.rmtree(folder)
        assert published(snapshot(tmp_path / "lake", params=PARAMS)) == wanted, lost
