"""The landing folder: what is a landed file, what may be read now, and what is a copy."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from include.errors import InputError
from include.landing.files import (
    Content,
    LandedFile,
    copies,
    identity,
    landed_files,
    still_written,
    unreadable,
    with_digests,
)
from tests.tables import csv_bytes, land, line


def landed(path: Path) -> LandedFile:
    return LandedFile(path, path.name, *identity(path))


# -- which files there are ----------------------------------------------------------------------


def test_a_landing_folder_without_a_csv_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").mkdir()
    (tmp_path / ".y.csv").write_text("")
    (tmp_path / "z.csv.part").write_text("")
    with pytest.raises(InputError, match=r"has no \.csv"):
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
    for name in (".e.csv", "_f.csv", "g.csv.part", "h.csv.tmp", ".part/i.csv"):
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


# -- which of them are copies -------------------------------------------------------------------


def contents(*files: LandedFile) -> dict[str, Content]:
    """What the files hold, before anybody has looked into them."""
    return {file.name: Content(file.size, file.modified) for file in files}


def test_the_first_by_name_of_files_with_the_same_content_counts(tmp_path: Path) -> None:
    for name, text in {"a.csv": b"one", "b.csv": b"two", "c.csv": b"one", "d.csv": b"three"}.items():
        land(tmp_path, name, text)
    files, _ = landed_files(tmp_path)
    assert copies(with_digests(contents(*files), files)) == {"c.csv": "a.csv"}


def test_a_file_of_a_size_of_its_own_is_not_looked_into(tmp_path: Path) -> None:
    for name, text in {"a.csv": b"one", "b.csv": b"two", "d.csv": b"three", "e.csv": b""}.items():
        land(tmp_path, name, text)
    files, _ = landed_files(tmp_path)
    found = with_digests(contents(*files), files)
    assert [name for name, content in found.items() if content.sha256] == ["a.csv", "b.csv"]


def test_a_file_that_counts_as_it_was_before_has_the_content_it_had(tmp_path: Path) -> None:
    for name in ("a.csv", "z.csv"):
        land(tmp_path, name, b"one")
    files, _ = landed_files(tmp_path)
    before = with_digests(contents(*files), files)
    (tmp_path / "a.csv").write_text("half of another")
    files, _ = landed_files(tmp_path)
    assert copies(with_digests(before, files)) == {"z.csv": "a.csv"}


def test_a_file_changed_before_anybody_looked_into_it_is_no_copy(tmp_path: Path) -> None:
    for name in ("a.csv", "z.csv"):
        land(tmp_path, name, b"one")
    files, _ = landed_files(tmp_path)
    before = contents(*files)
    (tmp_path / "a.csv").write_text("half of another")
    files, _ = landed_files(tmp_path)
    assert copies(with_digests(before, files)) == {}, "nothing tells what it held"
