"""A data folder is mirrored to its place in the landing folder of a lake."""

import gzip
import os
from pathlib import Path
from threading import Timer

import pytest

from include.commands.land import land, main
from include.errors import ConfigError, InputError
from include.lake.paths import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "a lake")
    lake.landing.mkdir(parents=True)
    return lake


def data_folder(folder: Path, *names: str) -> Path:
    """A folder of files that were written long ago."""
    folder.mkdir()
    for name in names:
        (folder / name).write_text("lines")
        os.utime(folder / name, (1_000_000_000, 1_000_000_000))
    return folder


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_files_are_copied_with_their_folders_and_modification_times(lake: Lake, tmp_path: Path) -> None:
    """A file that is not read is copied, too: each run names it."""
    data = data_folder(tmp_path / "shop", "a.csv", "notes.pdf", ".hidden.csv", "_SOURCE.txt")
    (data / "2011").mkdir()
    (data / "2011" / "b.csv.gz").write_bytes(gzip.compress(b"lines"))
    assert land(data, lake, 0) == f"3 files in {lake.landing}/shop (3 new or changed)"
    assert names(lake.landing) == {"shop/a.csv", "shop/notes.pdf", "shop/2011/b.csv.gz"}
    assert (lake.landing / "shop" / "a.csv").stat().st_mtime == 1_000_000_000


def test_only_new_and_changed_files_are_copied_again(lake: Lake, tmp_path: Path) -> None:
    data = data_folder(tmp_path / "shop", "a.csv", "b.csv")
    land(data, lake, 0)
    before = (lake.landing / "shop" / "a.csv").stat().st_ino
    (data / "b.csv").write_text("other lines")
    assert "(1 new or changed)" in land(data, lake, 0)
    assert (lake.landing / "shop" / "a.csv").stat().st_ino == before
    assert (lake.landing / "shop" / "b.csv").read_text() == "other lines"


def test_a_file_that_leaves_the_data_folder_leaves_landing(lake: Lake, tmp_path: Path) -> None:
    data = data_folder(tmp_path / "data", "A.CSV", "b.csv", "c.csv.gz")
    land(data, lake, 0)
    (lake.landing / "data" / ".d.csv.part").write_text("of another program")
    (data / "A.CSV").unlink()
    (data / "c.csv.gz").unlink()
    assert land(data, lake, 0).endswith("(0 new or changed, 2 removed)")
    assert names(lake.landing / "data") == {"b.csv", ".d.csv.part"}


def test_other_folders_of_landing_are_left_alone(lake: Lake, tmp_path: Path) -> None:
    land(data_folder(tmp_path / "one", "a.csv"), lake, 0)
    land(data_folder(tmp_path / "two", "b.csv"), lake, 0)
    assert names(lake.landing) == {"one/a.csv", "two/b.csv"}


def test_a_file_that_is_still_being_written_is_not_copied(lake: Lake, tmp_path: Path) -> None:
    data = data_folder(tmp_path / "data")
    for name in ("a.csv", "b.csv"):
        (data / name).write_text("lines")
    Timer(0.1, (data / "b.csv").write_text, ["more lines"]).start()
    summary = land(data, lake, 0.5)
    assert names(lake.landing / "data") == {"a.csv"}
    assert "b.csv is still being written" in summary


def test_the_landing_folder_itself_needs_no_copy(lake: Lake) -> None:
    data = data_folder(lake.landing / "shop", "a.csv")
    assert land(data, lake, 0) == f"1 files are already in {data}"


def test_a_data_folder_that_contains_the_lake_is_refused(lake: Lake, tmp_path: Path) -> None:
    data_folder(lake.landing / "shop", "keep.csv")
    (tmp_path / "a.csv").write_text("lines")
    for data in (tmp_path, lake.root / "..", lake.root, lake.landing):
        with pytest.raises(ConfigError, match="would land in itself"):
            land(data, lake, 0)
    assert (lake.landing / "shop" / "keep.csv").exists()


def test_a_data_folder_without_a_file_that_is_read_is_refused(lake: Lake, tmp_path: Path) -> None:
    data = data_folder(tmp_path / "shop", "notes.pdf")
    for folder, problem in {
        data: r"has no file that can be read: .*It has: notes\.pdf is not read",
        data / "notes.pdf": "is a file",
        data / "absent": "is missing",
    }.items():
        with pytest.raises(InputError, match=problem):
            land(folder, lake, 0)


def test_the_command_prints_the_summary(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_folder(tmp_path / "shop", "a.csv")
    assert main([str(data), str(lake.root)]) == 0
    assert capsys.readouterr().out == f"1 files in {lake.landing}/shop (1 new or changed)\n"


def test_the_command_ends_with_exit_code_2_and_the_reason(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "absent"), str(lake.root)]) == 2
    assert capsys.readouterr().err.startswith("make land: DATA: ")
