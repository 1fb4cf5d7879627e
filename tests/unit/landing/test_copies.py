"""Files with the same content, whatever they are wrapped in."""

import gzip
from pathlib import Path

import pytest

from include.landing.copies import Content, copies, units_of, with_digests
from include.landing.files import LandedFile, identity, landed_files
from tests.archives import workbook, zipped
from tests.tables import csv_bytes, land, line

ORDERS = csv_bytes(*[line(quantity=str(number)) for number in range(1, 200)])


def contents(*files: LandedFile) -> dict[str, Content]:
    """What the files hold, before anybody has looked into them."""
    return {file.name: Content(file.size, file.modified) for file in files}


def looked_into(landing: Path) -> dict[str, Content]:
    files, _ = landed_files(landing)
    return with_digests(contents(*files), files)


def landed(path: Path) -> LandedFile:
    return LandedFile(path, path.name, *identity(path))


def test_the_first_by_name_of_files_with_the_same_content_counts(tmp_path: Path) -> None:
    for name, text in {"a.csv": b"one", "b.csv": b"two", "c.csv": b"one", "orders (1).csv": b"two"}.items():
        land(tmp_path, name, text)
    assert copies(looked_into(tmp_path)) == {"c.csv": "a.csv", "orders (1).csv": "b.csv"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("b.csv", ORDERS),
        ("b.csv", ORDERS.replace(b"\n", b"\r\n")),
        ("b.csv.gz", gzip.compress(ORDERS)),
        ("b.csv.gz", gzip.compress(ORDERS[:99]) + gzip.compress(ORDERS[99:], 1)),
        ("b.csv.gz", gzip.compress(ORDERS.replace(b"\n", b"\r\n"))),
        ("b.zip", zipped({"orders.csv": ORDERS})),
        ("b.zip", zipped({"orders.txt": ORDERS.replace(b"\n", b"\r\n"), "readme.pdf": b"x"})),
    ],
    ids=["the same", "crlf", "gz", "gz of two", "gz of crlf", "zip", "zip of crlf with more in it"],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_same_content_in_another_wrapping_is_the_same_file(
    tmp_path: Path, name: str, data: bytes, end: bytes
) -> None:
    land(tmp_path, "a.csv", ORDERS.replace(b"\n", end))
    land(tmp_path, name, data)
    assert copies(looked_into(tmp_path)) == {name: "a.csv"}


def test_a_line_end_that_two_reads_divide_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.landing.copies.CHUNK", 7)
    land(tmp_path, "a.csv", ORDERS)
    land(tmp_path, "b.csv", ORDERS.replace(b"\n", b"\r\n"))
    assert copies(looked_into(tmp_path)) == {"b.csv": "a.csv"}


def test_another_content_is_another_file_though_it_begins_alike(tmp_path: Path) -> None:
    for number, name in enumerate(("a.csv", "b.csv")):
        land(tmp_path, name, ORDERS + line(quantity=str(number)).encode())
    land(tmp_path, "c.csv.gz", gzip.compress(ORDERS))
    assert copies(looked_into(tmp_path)) == {}


def test_an_archive_of_several_files_counts_before_these_files_do(tmp_path: Path) -> None:
    """A month as an archive, beside some of its days."""
    days = {f"{day:02}.csv": csv_bytes(line(quantity=str(day))) for day in range(1, 4)}
    land(tmp_path, "01.csv", days["01.csv"])
    land(tmp_path, "03.csv.gz", gzip.compress(days["03.csv"]))
    land(tmp_path, "04.csv", csv_bytes(line(quantity="4")))
    land(tmp_path, "month.zip", zipped(days))
    land(tmp_path, "sent again.zip", zipped(dict(reversed(days.items()))))
    assert copies(looked_into(tmp_path)) == {
        "01.csv": "month.zip/01.csv",
        "03.csv.gz": "month.zip/03.csv",
        "sent again.zip": "month.zip/03.csv",
    }


def test_an_archive_that_also_has_something_new_counts(tmp_path: Path) -> None:
    """Orders in both are named when their lines are read."""
    for number, name in enumerate(("a.zip", "b.zip")):
        land(tmp_path, name, zipped({"same.csv": ORDERS, "new.csv": csv_bytes(line(quantity=str(number)))}))
    assert copies(looked_into(tmp_path)) == {}


def test_a_broken_file_is_not_the_same_as_a_whole_one_that_ends_there(tmp_path: Path) -> None:
    broken = gzip.compress(ORDERS)[:-1]
    for name in ("b.csv.gz", "c.csv.gz"):
        land(tmp_path, name, broken)
    land(tmp_path, "a.csv", ORDERS)
    assert copies(looked_into(tmp_path)) == {"c.csv.gz": "b.csv.gz"}


def test_a_workbook_is_the_same_where_its_bytes_are(tmp_path: Path) -> None:
    book = workbook({"orders": [["Invoice"], [1]]})
    for name, data in {"a.xlsx": book, "b (1).xlsx": book, "c.xlsx.gz": gzip.compress(book)}.items():
        land(tmp_path, name, data)
    land(tmp_path, "d.xlsx", workbook({"orders": [["Invoice"], [2]]}))
    assert copies(looked_into(tmp_path)) == {"b (1).xlsx": "a.xlsx", "c.xlsx.gz": "a.xlsx"}


def test_only_files_that_begin_alike_are_read_to_their_end(tmp_path: Path) -> None:
    """Full exports begin alike, too. Each is larger than the one before."""
    for name, text in {
        "a.csv": b"one",
        "b.csv": b"two",
        "c.csv": b"one",
        "d.csv": b"three",
        "e.csv": b"",
    }.items():
        land(tmp_path, name, text)
    for days in (100, 150):
        land(tmp_path, f"until day {days}.csv", csv_bytes(*[line()] * days))
    assert [name for name, found in looked_into(tmp_path).items() if found.units[0].sha256] == [
        "a.csv",
        "c.csv",
    ]


def test_a_sketch_is_the_same_in_each_wrapping_and_shows_it(tmp_path: Path) -> None:
    files = [
        land(tmp_path, "a.csv", ORDERS),
        land(tmp_path, "b.csv", ORDERS.replace(b"\n", b"\r\n")),
        land(tmp_path, "c.csv.gz", gzip.compress(ORDERS)),
    ]
    wrappings, starts = zip(*[units_of(landed(file))[0].sketch.split(":") for file in files], strict=True)
    assert wrappings == ("lf", "crlf", "packed")
    assert len(set(starts)) == 1


def test_a_file_that_counts_as_it_was_before_has_the_content_it_had(tmp_path: Path) -> None:
    for name in ("a.csv", "z.csv"):
        land(tmp_path, name, b"one")
    before = looked_into(tmp_path)
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
    found = with_digests(before, files)
    assert copies(found) == {}, "nothing tells what it held"
