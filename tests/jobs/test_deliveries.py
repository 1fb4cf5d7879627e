"""Deliveries of every kind, in seeded disorder: a lake always publishes what one from scratch publishes."""

import csv
import gzip
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.jobs.conftest import RunJob, Snapshot
from tests.jobs.shop import EXPORT, copy_of, same_landing
from tests.laws.fuzz import landing_file, valid_row
from tests.tables import LONG_AGO, csv_bytes, land, line

PARAMS = EXPORT | {"publish_anyway": True}  # of some files no line is kept


class Shop:
    """A landing folder with deliveries at random."""

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

    def land_new(self) -> None:
        self.names += 1
        folder = self.random.choice(["", "late/", "2010/12/", "an odd, name/"])
        name, data = f"{folder}{self.random.randrange(100):02}-{self.names}.csv", self.lines()
        if self.random.random() < 0.3:
            name, data = f"{name}.gz", gzip.compress(data, mtime=0)
        self.write(name, data)

    def land_damaged(self) -> None:
        self.names += 1
        file = landing_file(self.random, f"damaged-{self.names}.csv")
        if "header" not in " ".join(file.damage):  # a header with half of our columns stops the run
            self.write(file.name, file.data)

    def change(self) -> None:
        self.write(self.a_file(), self.lines())

    def change_at_same_size(self) -> None:
        name = self.a_file()
        self.write(name, (self.landing / name).read_bytes().replace(b"1", b"2"))

    def delete(self) -> None:
        if len(self.files()) > 2:
            (self.landing / self.a_file()).unlink()

    def rename(self) -> None:
        self.names += 1
        old = self.landing / self.a_file()
        old.rename(old.with_name(f"renamed {self.names} {old.name}"))

    def double(self) -> None:
        self.names += 1
        old = self.landing / self.a_file()
        name = f"{self.random.choice(['0', 'z'])} copy {self.names}{''.join(old.suffixes)}"
        self.write(name, old.read_bytes())

    def touch(self) -> None:
        name = self.a_file()
        self.write(name, (self.landing / name).read_bytes())

    def a_file(self) -> str:
        return self.random.choice(self.files()).relative_to(self.landing).as_posix()

    def do_something(self) -> str:
        do = self.random.choice(
            [
                *[self.land_new, self.land_new, self.land_damaged, self.change, self.change_at_same_size],
                *[self.delete, self.delete, self.rename, self.double, self.double, self.touch],
            ]
        )
        do()
        return do.__name__


def published(folder: Path) -> dict[str, Any]:
    """Everything that is published; of the record only the keys that depend on neither the time nor on
    earlier runs. The report says which files are gone since the run before."""
    others = {"run.json", "report.html"}
    found: dict[str, Any] = {f.name: f.read_bytes() for f in folder.iterdir() if f.name not in others}
    record = json.loads((folder / "run.json").read_text())
    depends_on_earlier_runs = {"batch", "sha256"}
    found["input_files"] = {
        name: {key: value for key, value in file.items() if key not in depends_on_earlier_runs}
        for name, file in record["input_files"].items()
    }
    counts = ("rows_in", "rows_out", "rejects", "files_landed", "files_not_counted")
    found["stages"] = {
        task: {key: stage[key] for key in counts if key in stage} for task, stage in record["stages"].items()
    }
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_the_lake_publishes_what_one_from_scratch_publishes(
    snapshot: Snapshot, tmp_path: Path, seed: int
) -> None:
    shop = Shop(tmp_path / "lake" / "landing", Random(seed))
    for _ in range(4):
        shop.land_new()
    for round in range(3):
        done = [shop.do_something() for _ in range(5)]
        found = published(snapshot(tmp_path / "lake", params=PARAMS))
        scratch = same_landing(tmp_path / "lake", tmp_path / f"scratch {round}")
        assert found == published(snapshot(scratch, params=PARAMS)), done
        for name, file in found["input_files"].items():
            assert file["rows"] == file["kept"] + sum(file["rejects"].values()), name
            assert file["kept"] == file["clean"]["kept"] + sum(file["clean"]["rejects"].values()), name


# -- a task that is cleared alone ---------------------------------------------------------------

DAY_BEFORE = "2011-02-09"


@dataclass
class Rewritten:
    """A lake in which a later run has written the lines of `first` again, and the snapshot of the day
    before from the time before that."""

    root: Path
    first: Path
    published_before: dict[str, Any]

    @property
    def published_now(self) -> dict[str, Any]:
        return published(self.root / "published" / f"as_of={DAY_BEFORE}")


@pytest.fixture
def rewritten(snapshot: Snapshot, tmp_path: Path) -> Rewritten:
    lake = tmp_path / "lake"
    first = land(lake / "landing", "first.csv", csv_bytes(line(), line(quantity="x"), line(customer="")))
    before = published(snapshot(lake, DAY_BEFORE, PARAMS))
    shutil.rmtree(lake / "ingested")  # a cache, so that the next run writes the lines again
    shutil.rmtree(lake / "cleaned")
    land(lake / "landing", "second.csv", csv_bytes(line(invoice="536366")))
    snapshot(lake, params=PARAMS)
    return Rewritten(lake, first, before)


def test_publish_cleared_alone_finds_the_same_lines_in_their_new_batches(
    run: RunJob, rewritten: Rewritten
) -> None:
    assert run("publish", rewritten.root, DAY_BEFORE, PARAMS).code == 0
    assert rewritten.published_now == rewritten.published_before


def test_publish_cleared_alone_is_refused_when_a_file_of_its_snapshot_has_changed(
    run: RunJob, snapshot: Snapshot, rewritten: Rewritten
) -> None:
    rewritten.first.write_bytes(csv_bytes(line(quantity="7")))
    snapshot(rewritten.root, params=PARAMS)
    message = run("publish", rewritten.root, DAY_BEFORE, PARAMS).refusal
    assert "first.csv has changed since this run started; clear the run from `ingest` onwards" in message
    assert rewritten.published_now == rewritten.published_before


def test_a_file_replaced_between_ingest_and_clean_counts_as_it_is_now(
    run: RunJob, snapshot: Snapshot, tmp_path: Path
) -> None:
    """Its first lines are in one batch with those of a file that `clean` has to read."""
    shop = Shop(tmp_path / "lake" / "landing", Random(4))
    for name in ("stays.csv", "replaced.csv"):
        shop.write(name, shop.lines())
    assert run("ingest", tmp_path / "lake").code == 0
    shop.write("replaced.csv", shop.lines())
    scratch = same_landing(tmp_path / "lake", tmp_path / "scratch")
    found, wanted = (published(snapshot(lake, params=PARAMS)) for lake in (tmp_path / "lake", scratch))
    assert found == wanted


# -- an amount beyond the scaled range ----------------------------------------------------------


def monetary(folder: Path) -> list[str]:
    with (folder / "rfm_df.csv").open(newline="") as file:
        return [row["monetary"] for row in csv.DictReader(file)]


def test_an_amount_beyond_a_billion_counts_to_the_penny_and_leaves_with_its_file(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    """Amounts are added up in another way as long as one is there."""
    landing = tmp_path / "lake" / "landing"
    usual = [line(), line(invoice="C536366", quantity="-1", price="0.005")]
    land(landing, "usual.csv", csv_bytes(*usual))
    large = land(landing, "large.csv", csv_bytes(line(invoice="536367", quantity="6", price="999999999.99")))
    # 15.30 - 0.005 + 5,999,999,999.94, half a penny up
    assert monetary(snapshot(tmp_path / "lake")) == ["6000000015.24"]
    large.unlink()
    assert monetary(snapshot(tmp_path / "lake")) == ["15.30"]


# -- a lake is a cache --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lake(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a snapshot of three deliveries. For reading only."""
    lake = tmp_path_factory.mktemp("cache") / "lake"
    shop = Shop(lake / "landing", Random(3))
    for _ in range(3):
        shop.land_new()
    snapshot(lake, params=PARAMS)
    return lake


@pytest.mark.parametrize("lost", ["ingested/*/batch=*", "orders/*/batch=*", "segments", "cleaned"])
def test_folders_lost_from_the_lake_are_made_again(
    snapshot: Snapshot, lake: Path, tmp_path: Path, lost: str
) -> None:
    wanted = published(lake / "published" / "latest")
    damaged = copy_of(lake, tmp_path / "lake")
    folders = [*damaged.glob(lost)]
    assert folders
    for folder in folders:
        shutil.rmtree(folder)
    assert published(snapshot(damaged, params=PARAMS)) == wanted
