"""The landing folder: what is a landed file, what is not and why, and what may be read now."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from include.errors import InputError
from include.landing.files import LandedFile, identity, landed_files, still_written, unreadable
from tests.tables import csv_bytes, land, line

READ = [
    *("a.csv", "b.TSV", "c.txt", "d.xlsx", "e.csv.gz", "f.tsv.GZ", "g.txt.gz", "h.xlsx.gz"),
    *("i.csv.zip", "j.zip", "k.gz", "with blanks & é.csv", "50%#1.csv", "at 10:30.csv", "a 'b' \"c\".csv"),
    *("two\nlines.csv", "orders (1).csv", "a.b.c.csv"),
]
NOT_READ = {
    "old.xls": "is not read; save it as .xlsx or .csv",
    "macros.xlsm": "is not read; save it as .xlsx or .csv",
    "table.parquet": "is not read; .csv, .tsv, .txt and .xlsx are read, also inside .gz and .zip",
    "invoice.PDF": "is not read; .csv, .tsv, .txt and .xlsx are read, also inside .gz and .zip",
    "lines.json.gz": "is not read; .csv, .tsv, .txt and .xlsx are read, also inside .gz and .zip",
    "half.csv.part": "is not complete, by its name; it is read once it has its own",
    "all.7z": "is not read; pack the files in it as .zip, or each as .gz",
    "all.tar.gz": "is not read; pack the files in it as .zip, or each as .gz",
    "orders": "has no extension; .csv, .tsv, .txt and .xlsx are read, also inside .gz and .zip",
}


def landed(path: Path) -> LandedFile:
    return LandedFile(path, path.name, *identity(path))


# -- which files there are ----------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "Größe 100% #1: 'a'/"], ids=["landing", "a folder of it"])
def test_tables_and_workbooks_are_landed_files_packed_or_not(tmp_path: Path, folder: str) -> None:
    for name in READ:
        land(tmp_path, folder + name, b"x")
    files, others = landed_files(tmp_path)
    assert [file.name for file in files] == sorted(folder + name for name in READ)
    assert others == {}


def test_whatever_else_is_there_is_named_with_what_would_be_read(tmp_path: Path) -> None:
    for name in ("a.csv", *NOT_READ):
        land(tmp_path, name, b"x")
    files, others = landed_files(tmp_path)
    assert [file.name for file in files] == ["a.csv"]
    assert others == NOT_READ


def test_a_landing_folder_without_a_file_that_is_read_is_refused_with_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "x.csv").mkdir()
    land(tmp_path, ".y.csv", b"")
    land(tmp_path, "z.xls", b"")
    with pytest.raises(InputError) as refused:
        landed_files(tmp_path)
    assert str(refused.value) == (
        f"landing folder {tmp_path} has no file that can be read: .csv, .tsv, .txt and .xlsx are read, also "
        "inside .gz and .zip. It has: x.csv is a folder; z.xls is not read; save it as .xlsx or .csv"
    )


def test_the_refusal_of_a_folder_with_many_other_files_stays_short(tmp_path: Path) -> None:
    for number in range(12):
        land(tmp_path, f"{number:02}.pdf", b"")
    with pytest.raises(InputError, match=r"04\.pdf .*; and 7 more$"):
        landed_files(tmp_path)


def test_a_missing_landing_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing; create it"):
        landed_files(tmp_path / "nowhere")


def test_an_entry_that_is_no_file_is_named_and_not_read(tmp_path: Path) -> None:
    land(tmp_path, "a.csv", csv_bytes())
    (tmp_path / "b.csv").mkdir()
    land(tmp_path, "b.csv/part-0.csv", csv_bytes(line()))
    (tmp_path / "c.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "d.csv")
    for name in (".e.csv", "_f.csv", ".DS_Store", ".part/i.csv"):
        land(tmp_path, name, csv_bytes(line()))
    files, others = landed_files(tmp_path)
    assert [file.name for file in files] == ["a.csv", "b.csv/part-0.csv"]
    assert others == {
        "b.csv": "is a folder",
        "c.csv": "is no file, or a link to nowhere",
        "d.csv": "is no file, or a link to nowhere",
    }


def test_a_linked_folder_is_named_since_it_is_not_followed(tmp_path: Path) -> None:
    landing, elsewhere = tmp_path / "landing", tmp_path / "elsewhere"
    land(elsewhere, "b.csv", b"two")
    land(landing, "a.csv", b"one")
    (landing / "more").symlink_to(elsewhere)
    files, others = landed_files(landing)
    assert [file.name for file in files] == ["a.csv"]
    assert others == {"more": "is a link to a folder, which is not followed"}


# -- which of them may be read ------------------------------------------------------------------


def holds_without_root(check: Callable[[], bool]) -> bool:
    """Whether the check holds for a user who is not root. Root may read everything."""
    if os.geteuid() != 0:
        return check()
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        os._exit(not check())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_file_that_may_not_be_read_waits(open_to_all: Path) -> None:
    file = land(open_to_all, "a.csv", csv_bytes())
    file.chmod(0)
    assert holds_without_root(lambda: "cannot be read" in unreadable([landed(file)])["a.csv"])


def test_a_folder_that_cannot_be_listed_is_not_taken_for_empty(open_to_all: Path) -> None:
    land(open_to_all, "a.csv", csv_bytes())
    land(open_to_all, "closed/b.csv", csv_bytes())
    (open_to_all / "closed").chmod(0)

    def stops() -> bool:
        try:
            landed_files(open_to_all)
        except PermissionError as error:
            return str(error.filename).endswith("closed")
        return False

    stopped = holds_without_root(stops)
    (open_to_all / "closed").chmod(0o755)
    assert stopped


def test_a_file_that_does_not_change_is_complete(tmp_path: Path) -> None:
    old, young = land(tmp_path, "old.csv", b"x"), tmp_path / "young.csv"
    young.write_bytes(b"x")
    assert still_written([landed(old), landed(young)], 0.2) == {}


def test_a_file_that_grows_while_it_is_watched_is_still_written(tmp_path: Path) -> None:
    old, young = land(tmp_path, "old.csv", b"x"), tmp_path / "young.csv"
    young.write_bytes(b"xx")
    files = [landed(old), landed(young)]
    Timer(0.1, young.write_bytes, [b"xxx"]).start()
    assert still_written(files, 0.5) == {"young.csv": "is still being written"}
