"""The parts of a landed file: itself, members of an archive, sheets of a workbook; and what is refused."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from include.landing.files import LandedFile, identity
from include.landing.parts import HEAD_BYTES, Part, contents_of, head_of, open_part, parts_of
from tests.archives import workbook, zipped
from tests.tables import csv_bytes, land, line

ORDERS = csv_bytes(line(), line())
BOOK = workbook({"Year 2009-2010": [["Invoice"], [1]], "empty": [], "Year 2010-2011": [["Invoice"], [2]]})
WITH_PASSWORD = b"\xd0\xcf\x11\xe0" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")


def landed(folder: Path, name: str, data: bytes) -> LandedFile:
    path = land(folder, name, data)
    return LandedFile(path, name, *identity(path))


def texts(parts: list[Part]) -> dict[str | None, bytes]:
    found = {}
    for part in parts:
        with open_part(part) as stream:
            found[part.name] = stream.read()
    return found


# -- what is in a file --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "kind", "in_words"),
    [
        ("a.csv", ORDERS, "text", ""),
        ("a.txt", ORDERS, "text", ""),
        ("header only.txt", csv_bytes(), "text", ""),
        ("utf-16.txt", ORDERS.decode().encode("utf-16"), "text", ""),
        ("a.csv.gz", gzip.compress(ORDERS), "gzip", "gzip"),
        ("a.gz", gzip.compress(ORDERS), "gzip", "gzip"),
        ("packed but not named so.csv", gzip.compress(ORDERS), "gzip", "gzip"),
        ("named packed but not so.csv.gz", ORDERS, "text", ""),
    ],
)
def test_a_text_is_its_own_part_and_its_kind_shows_in_its_bytes(
    tmp_path: Path, name: str, data: bytes, kind: str, in_words: str
) -> None:
    (part,) = parts_of(landed(tmp_path, name, data))
    assert (part.name, part.kind, part.in_words) == (None, kind, in_words)
    assert texts([part]) == {None: data if kind == "text" else ORDERS}


def test_each_member_of_an_archive_is_a_part_in_its_order(tmp_path: Path) -> None:
    """Blanks, accents, %, #, :, quotes and line breaks are no matter, and hidden members are none."""
    names = ["z.csv", "shop 1/Größe 100%.CSV", "a#1.tsv", 'at 10:30 \'"x".txt', "two\nlines.csv"]
    hidden = ["__MACOSX/._z.csv", ".DS_Store", "shop 1/_draft.csv"]
    members = {name: csv_bytes(line(text=str(number))) for number, name in enumerate([*names, *hidden])}
    found = contents_of(landed(tmp_path, "orders.zip", zipped(members)))
    assert texts(found.parts) == {name: members[name] for name in names}
    assert list(texts(found.parts)) == names
    assert {part.kind for part in found.parts} == {"zip"}
    assert [part.size for part in found.parts] == [len(members[name]) for name in names]
    assert found.refused == {}


def test_of_members_with_the_same_content_the_first_is_read(tmp_path: Path) -> None:
    members = {"orders.csv": ORDERS, "orders (1).csv": ORDERS}
    found = contents_of(landed(tmp_path, "all.zip", zipped(members)))
    assert [part.name for part in found.parts] == ["orders.csv"]
    assert found.refused == {"all.zip/orders (1).csv": "has the same content as orders.csv"}


@pytest.mark.parametrize(
    ("name", "data", "inside", "in_words"),
    [
        ("a.xlsx", BOOK, "", "xlsx"),
        ("a.xlsx.gz", gzip.compress(BOOK), "", "gzip, xlsx"),
        ("a.zip", zipped({"shop/book.xlsx": BOOK}), "shop/book.xlsx/", "zip, xlsx"),
    ],
)
def test_each_sheet_of_a_workbook_that_has_a_cell_is_a_part(
    tmp_path: Path, name: str, data: bytes, inside: str, in_words: str
) -> None:
    parts = parts_of(landed(tmp_path, name, data))
    wanted = {f"{inside}Year 2009-2010": b"Invoice\n1\n", f"{inside}Year 2010-2011": b"Invoice\n2\n"}
    assert texts(parts) == wanted
    assert {part.name: head_of(part) for part in parts} == wanted
    assert {(part.kind, part.in_words) for part in parts} == {("sheet", in_words)}


def test_the_head_of_a_part_is_its_first_bytes_unpacked(tmp_path: Path) -> None:
    long = csv_bytes(*[line()] * 5000)
    files = {"a.csv": long, "b.csv.gz": gzip.compress(long), "c.zip": zipped({"c.csv": long})}
    heads = [head_of(parts_of(landed(tmp_path, name, data))[0]) for name, data in files.items()]
    assert heads == [long[:HEAD_BYTES]] * 3


def test_the_head_of_a_broken_part_ends_before_the_damage(tmp_path: Path) -> None:
    (part,) = parts_of(landed(tmp_path, "a.csv.gz", gzip.compress(ORDERS)[:-20]))
    head = head_of(part)
    assert head
    assert ORDERS.startswith(head)


# -- what is refused ----------------------------------------------------------------------------


NO_FIELDS = "is text without fields: its lines have no commas, semicolons, tabs or bars"
READ = ".csv, .tsv, .txt and .xlsx are read, also inside .gz and .zip"
INCOMPLETE = "cannot be opened (File is not a zip file); is it complete?"
REFUSED = [
    ("a.xlsx", b"not a real workbook, only its name counts", "is no workbook, whatever its name says"),
    ("a.xlsx", BOOK[:-100], INCOMPLETE),
    ("a.xlsx", workbook({"empty": []}), "has no cell in any sheet"),
    ("a.xlsx", WITH_PASSWORD, "needs a password; save it without one"),
    (
        "a.xlsx",
        b"\xd0\xcf\x11\xe0 xls",
        "is a workbook of the old kind (.xls), which is not read; save it as .xlsx or .csv",
    ),
    ("a.zip", b"no archive", "is no zip archive, whatever its name says"),
    ("a.zip", zipped({"a.csv": ORDERS})[:-10], INCOMPLETE),
    ("a.zip", zipped({"folder/_a.csv": ORDERS}), "has nothing that can be read: it is empty"),
    (
        "a.zip",
        zipped({"b.zip": b"x", "c.pdf": b"x"}),
        "has nothing that can be read: b.zip is an archive in an archive; unpack it; "
        f"c.pdf is not read; {READ}",
    ),
    ("a.csv.gz", gzip.compress(gzip.compress(ORDERS)), "holds an archive; unpack it"),
    ("a.csv.gz", gzip.compress(zipped({"a.csv": ORDERS})), "holds an archive; unpack it"),
    ("README.txt", b"Orders, invoices, returns, and so on.\nAsk us.\n", NO_FIELDS),
]


@pytest.mark.parametrize(("name", "data", "why"), REFUSED)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(
    tmp_path: Path, name: str, data: bytes, why: str
) -> None:
    found = contents_of(landed(tmp_path, name, data))
    assert (found.parts, found.refused) == ([], {name: why})


def test_a_member_that_cannot_be_read_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    members = {"a.csv": ORDERS, "b.pdf": b"x", "c.csv.gz": b"x", "d.xlsx": b"x", "e.txt": b"Hello.\n"}
    found = contents_of(landed(tmp_path, "all.zip", zipped(members)))
    assert [part.name for part in found.parts] == ["a.csv"]
    assert found.refused == {
        "all.zip/b.pdf": f"is not read; {READ}",
        "all.zip/c.csv.gz": "is an archive in an archive; unpack it",
        "all.zip/d.xlsx": "cannot be opened (calamine error: Cannot detect file format); save it again as "
        ".xlsx or .csv",
        "all.zip/e.txt": NO_FIELDS,
    }


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (6, 1, "needs a password; pack it without one"),  # the flags
        (
            8,
            9,
            "is packed in a way that is not read",
        ),  # the method: 64-bit deflate, as Windows packs large files
    ],
    ids=["password", "method"],
)
def test_a_member_with_a_password_or_packed_in_an_unknown_way_is_refused(
    tmp_path: Path, place: int, value: int, why: str
) -> None:
    data = bytearray(zipped({"a.csv": ORDERS}))
    directory = data.index(b"PK\x01\x02")
    data[place] = data[directory + place + 2] = value
    found = contents_of(landed(tmp_path, "a.zip", bytes(data)))
    assert found.parts == []
    assert f"has nothing that can be read: a.csv {why}" in found.refused["a.zip"]


def test_a_name_that_is_twice_in_an_archive_is_read_once(tmp_path: Path) -> None:
    """An archive to which a newer version was added has both, and unpacking leaves the newer one."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.csv", b"old")
        archive.writestr("a.csv", ORDERS)
    assert texts(parts_of(landed(tmp_path, "a.zip", stream.getvalue()))) == {"a.csv": ORDERS}
