"""`make vacuum`: it shows what would go, asks, and refuses to work beside a job."""

from datetime import date
from pathlib import Path

import pytest

from include.commands import vacuum
from include.lake.commit import alive, point_latest
from include.lake.paths import Lake
from tests.unit.lake.results import publish_text


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with the snapshots of two days."""
    lake = Lake(tmp_path / "lake")
    lake.landing.mkdir(parents=True)
    for day in (9, 10):
        publish_text(lake, "text", landing_version=1, as_of=date(2011, 12, day))
    point_latest(lake)
    return lake


def dates(lake: Lake) -> list[str]:
    return sorted(link.name for link in (lake.root / "published").glob("as_of=*"))


def test_nothing_is_removed_where_nobody_answers(
    lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    assert vacuum.main([str(lake.root), "--before", "2011-12-10"]) == 0
    assert len(dates(lake)) == 2
    output = capsys.readouterr().out
    assert "1 snapshots, as of 2011-12-09 to 2011-12-09" in output
    assert "nothing was removed" in output


def test_it_removes_what_it_has_shown(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert vacuum.main([str(lake.root), "--before", "2011-12-10", "--yes"]) == 0
    assert dates(lake) == ["as_of=2011-12-10"]
    assert "removed, " in capsys.readouterr().out
    assert vacuum.main([str(lake.root), "--before", "2011-12-10", "--yes"]) == 0
    assert "nothing to remove" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(["--before", "10/12/2011"], "BEFORE: '10/12/2011' is not a date like 2026-01-01")],
    ids=["a date of another kind"],
)
def test_what_it_cannot_understand_is_refused(
    lake: Lake, capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    assert vacuum.main([str(lake.root), *arguments]) == 2
    assert problem in capsys.readouterr().err


def test_a_folder_that_is_no_lake_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vacuum.main([str(tmp_path)]) == 2
    assert "is no lake" in capsys.readouterr().err


def test_it_waits_for_nobody_and_disturbs_no_job(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    with alive(lake):
        assert vacuum.main([str(lake.root), "--before", "2011-12-10", "--yes"]) == 2
    assert "a job is at work in" in capsys.readouterr().err
    assert len(dates(lake)) == 2
