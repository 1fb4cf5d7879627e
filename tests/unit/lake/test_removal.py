"""Removing old snapshots and caches of other settings: what goes, what stays, and how much room it frees."""

import os
from datetime import date
from pathlib import Path

import pytest

from include.lake.commit import point_latest
from include.lake.paths import Lake
from include.lake.removal import Removable, caches_of_other_settings, remove, room, snapshots_before
from include.settings import RunConfig
from tests.unit.lake.results import publish_text, publish_to

DAYS = [date(2011, 12, day) for day in (8, 9, 10)]


@pytest.fixture
def three_dates(lake: Lake) -> Lake:
    """Three dates, the first of them published twice, and a variant of the first."""
    for number, day in enumerate([DAYS[0], *DAYS]):
        publish_text(lake, f"as of {day}", landing_version=1, number=number, as_of=day)
    publish_to(lake, lake.published(DAYS[0], "segment_map=rf10"), "a variant", (1, 1))
    point_latest(lake)
    return lake


def dates(lake: Lake, area: str = "published") -> list[str]:
    return sorted(link.name for link in (lake.root / area).glob("as_of=*"))


def test_earlier_dates_go_with_all_their_versions_and_later_ones_stay(three_dates: Lake) -> None:
    (old, variant) = snapshots_before(three_dates, DAYS[1])
    assert old.what == "1 snapshots, as of 2011-12-08 to 2011-12-08"
    assert variant.what.startswith("1 segment_map=rf10 snapshots")
    remove([*old.paths, *variant.paths])
    assert dates(three_dates) == ["as_of=2011-12-09", "as_of=2011-12-10"]
    assert not list(three_dates.root.glob("**/*2011-12-08*"))
    assert (three_dates.latest / "file").read_text() == "as of 2011-12-10"


def test_the_newest_snapshot_stays_whatever_the_date(three_dates: Lake) -> None:
    remove([path for old in snapshots_before(three_dates, date(2100, 1, 1)) for path in old.paths])
    assert dates(three_dates) == ["as_of=2011-12-10"]
    assert (three_dates.latest / "file").is_file()


def test_a_lake_without_earlier_dates_has_nothing_to_remove(three_dates: Lake) -> None:
    assert snapshots_before(three_dates, DAYS[0]) == []


def test_lines_and_orders_of_other_settings_go_and_those_in_use_stay(lake: Lake, config: RunConfig) -> None:
    settings = config.settings
    used = [
        lake.ingested(settings.ingest_fingerprint),
        lake.cleaned(settings.clean_fingerprint),
        lake.orders(settings.clean_fingerprint),
    ]
    others = [lake.ingested("other"), lake.cleaned("other"), lake.orders("other")]
    for stage in [*used, *others]:
        stage.mkdir(parents=True)
    found = [path for removable in caches_of_other_settings(lake, settings) for path in removable.paths]
    assert sorted(found) == sorted(others)


def test_a_file_frees_room_only_with_the_last_link_to_it(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    (folders[0] / "file").write_bytes(b"x" * 100_000)
    os.link(folders[0] / "file", folders[1] / "file")
    a, b = (Removable(folder.name, (folder,)) for folder in folders)
    assert room([a]) == 0
    assert room([a, b]) >= 100_000
