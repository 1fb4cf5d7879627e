"""The bytes of a part in chunks: whatever it is packed in, the reader gets the same text."""

import codecs
import gzip
import zipfile
from pathlib import Path

import pytest

from include.landing import chunks as module
from include.landing.chunks import chunks
from include.landing.files import LandedFile, identity
from include.landing.formats import Format, FormattedFile
from include.landing.parts import parts_of
from tests.archives import workbook, zipped
from tests.tables import csv_bytes, land, line

ORDERS = csv_bytes(*[line(quantity=str(number)) for number in range(1, 2000)])


def read(folder: Path, name: str, data: bytes, encoding: str | None = None) -> tuple[bytes, bool]:
    """The text of the only part of a file, and whether it breaks off."""
    path = land(folder, name, data)
    file = LandedFile(path, name, *identity(path))
    (part,) = parts_of(file)
    found = list(chunks(FormattedFile(file, part, Format(encoding, 1, None)), 0, part.size))
    assert [chunk.is_last for chunk in found] == [False] * (len(found) - 1) + [True]
    return b"".join(chunk.data for chunk in found), found[-1].breaks_off


@pytest.mark.parametrize("size", [7, 4096, module.CHUNK])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", ORDERS),
        ("a.csv", codecs.BOM_UTF8 + ORDERS),
        ("a.csv.gz", gzip.compress(ORDERS)),
        ("a.csv.gz", gzip.compress(ORDERS[:99]) + gzip.compress(ORDERS[99:])),
        ("a.csv.zip", zipped({"orders.csv": ORDERS})),
        ("a.csv.zip", zipped({"orders.csv": codecs.BOM_UTF8 + ORDERS}, zipfile.ZIP_STORED)),
    ],
    ids=["plain", "mark", "gz", "gz of two", "zip", "stored in a zip with a mark"],
)
def test_a_text_is_the_same_in_each_wrapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, size: int
) -> None:
    monkeypatch.setattr(module, "CHUNK", size)
    assert read(tmp_path, name, data) == (ORDERS, False)


def test_packed_utf_16_is_read_as_utf_8(tmp_path: Path) -> None:
    utf_16 = ORDERS.decode().encode("utf-16")
    assert read(tmp_path, "a.csv.gz", gzip.compress(utf_16), encoding="utf-16") == (ORDERS, False)
    assert read(tmp_path, "a.zip", zipped({"a.csv": utf_16}), encoding="utf-16") == (ORDERS, False)


def test_a_sheet_is_read_as_text(tmp_path: Path) -> None:
    book = workbook({"Orders": [["Invoice", "Price"], [536365, 2.55]]})
    assert read(tmp_path, "a.xlsx", book) == (b"Invoice,Price\n536365,2.55\n", False)


def broken(data: bytes) -> bytes:
    """An archive whose member is damaged in its middle. Its directory, at its end, is whole."""
    middle = len(data) // 2
    return data[:middle] + bytes(100) + data[middle + 100 :]


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.csv.gz", gzip.compress(ORDERS)[:-2000]), ("a.zip", broken(zipped({"orders.csv": ORDERS})))],
    ids=["gz", "zip"],
)
def test_a_damaged_part_gives_its_text_up_to_the_damage(tmp_path: Path, name: str, data: bytes) -> None:
    text, breaks_off = read(tmp_path, name, data)
    assert breaks_off
    assert len(text) > 1000
    assert ORDERS.startswith(text[:1000])


def test_a_member_with_a_wrong_checksum_is_damaged(tmp_path: Path) -> None:
    data = zipped({"orders.csv": ORDERS}, zipfile.ZIP_STORED).replace(b"RED MUG", b"RAD MUG", 1)
    _, breaks_off = read(tmp_path, "a.zip", data)
    assert breaks_off
