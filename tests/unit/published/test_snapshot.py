"""Reading a published snapshot without Spark."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from include.errors import OutdatedError
from include.published.snapshot import (
    Country,
    Move,
    bin_start,
    read_cut_points,
    read_movement,
    read_segments,
    read_spread,
)
from include.settings import RunConfig
from tests.unit.published.small import HOSTILE, write_snapshot


@pytest.fixture
def folder(tmp_path: Path, config: RunConfig) -> Path:
    return write_snapshot(tmp_path / "snapshot", config)


def test_segments_are_by_rank_with_their_customers_then_and_now(folder: Path, config: RunConfig) -> None:
    segments = read_segments(folder, config.segment_map)
    assert [segment.name for segment in segments] == config.segment_map.names
    found = {s.name: (s.rank, s.customers, s.customers_before, s.revenue) for s in segments if s.customers}
    assert found == {
        "Champions": (0, 2, 1, Decimal("1100.00")),
        "Promising": (4, 2, 1, Decimal("22.00")),
        "Lost": (10, 1, 0, Decimal("-5.00")),
    }
    assert segments[0].description.startswith("Bought days ago")
    assert segments[1].monetary is None


def test_customers_are_counted_by_value_score_and_country(folder: Path) -> None:
    spread = read_spread(folder)
    assert spread.recency_days == Counter({1: 2, 40: 1, 41: 1, 300: 1})
    assert spread.frequency == Counter({1: 3, 9: 1, 4: 1})
    assert spread.recency_frequency == Counter({(5, 5): 1, (5, 4): 1, (3, 1): 2, (1, 1): 1})
    assert spread.countries == [
        Country("EIRE", 2, Decimal("1100.00")),
        Country(HOSTILE, 2, Decimal("22.00")),
        Country("", 1, Decimal("-5.00")),
    ]


def test_amounts_are_counted_in_bins_and_those_below_one_in_the_first(folder: Path) -> None:
    monetary = read_spread(folder).monetary
    assert sorted(monetary.elements()) == [0, 8, 8, 16, 24]
    assert [bin_start(number) for number in (0, 8, 16, 24)] == [1, 10, 100, 1000]


def test_movement_and_cut_points_are_as_published(folder: Path) -> None:
    assert read_movement(folder)[1] == Move("Promising", "Champions", 1)
    assert read_cut_points(folder)["monetary"][3] == Decimal("100.00")


@pytest.mark.parametrize("line", ["Champions", "Champions,Lost,1,2"], ids=["too short", "too long"])
def test_a_line_that_does_not_fit_the_header_is_damage(folder: Path, line: str) -> None:
    with (folder / "segment_movement.csv").open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(OutdatedError, match=r"segment_movement\.csv is missing or damaged"):
        read_movement(folder)


@pytest.mark.parametrize(
    "file",
    ["segment_summary.csv", "segment_movement.csv", "cut_points.json", "customer_segments.parquet"],
)
@pytest.mark.parametrize("damage", ["gone", "garbled"])
def test_a_damaged_file_is_named(folder: Path, config: RunConfig, file: str, damage: str) -> None:
    (folder / file).unlink()
    if damage == "garbled":
        (folder / file).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OutdatedError, match=f"{file} is missing or damaged"):
        read_segments(folder, config.segment_map)
        read_cut_points(folder)
        read_spread(folder)
