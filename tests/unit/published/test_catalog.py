"""Which snapshots a lake has."""

from datetime import date
from pathlib import Path

import pytest

from include.errors import UserError
from include.lake.paths import Lake
from include.published.catalog import SnapshotName, published_snapshots, snapshot_name


def test_the_newest_come_first_and_variants_after_their_date(tmp_path: Path) -> None:
    lake, names = Lake(tmp_path), ["2011-12-09", "2011-12-10/b=2", "2011-12-10/a=1", "2011-12-10"]
    for name in names:
        found = snapshot_name(name)
        assert found is not None
        lake.published(found.as_of, found.variant).mkdir(parents=True)
    lake.latest.symlink_to("as_of=2011-12-10")
    (tmp_path / "published" / "as_of=x").mkdir()
    (tmp_path / "published" / ".versions" / "as_of=2011-12-10.0123456789ab").mkdir(parents=True)
    assert list(map(str, published_snapshots(lake))) == [
        "2011-12-10",
        "2011-12-10/a=1",
        "2011-12-10/b=2",
        "2011-12-09",
    ]


def test_a_new_lake_has_none(tmp_path: Path) -> None:
    assert published_snapshots(Lake(tmp_path)) == []


def test_a_lake_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be reached at .*/gone \(No such file or directory\)"):
        published_snapshots(Lake(tmp_path / "gone"))


def test_a_folder_of_snapshots_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "published").touch()
    with pytest.raises(UserError, match=r"cannot be reached at .*/published \(Not a directory\)"):
        published_snapshots(Lake(tmp_path))


@pytest.mark.parametrize("text", ["2011-12-10", "2011-12-10/lookback_days=90,segment_map=rf10"])
def test_a_name_is_read_as_it_is_written(text: str) -> None:
    assert str(snapshot_name(text)) == text


def test_a_name_has_a_date_and_a_variant() -> None:
    assert snapshot_name("2011-12-10/a=1") == SnapshotName(date(2011, 12, 10), "a=1")


@pytest.mark.parametrize(
    "text", ["", "latest", "2011-12-32", "2011-12-10/", "2011-12-10/..", "2011-12-10/a/b", "2011-12-10\n"]
)
def test_anything_else_is_no_name(text: str) -> None:
    assert snapshot_name(text) is None
