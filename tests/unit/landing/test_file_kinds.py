"""Files as shops really send them, all read together."""

import codecs
import gzip
import os
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from include.settings import RunConfig
from tests import tables
from tests.archives import Cell, workbook, zipped
from tests.tables import HEADER, LinesByFile, csv_bytes, land, line

KEPT = None
POUND = line(text="£5 CAFÉ")
PACKED = gzip.compress(csv_bytes(*[line(quantity=str(n)) for n in range(1, 500)]), mtime=0)

SOLD: list[Cell] = [
    536365,
    "85123A",
    "RED MUG",
    6,
    datetime.fromisoformat("2010-12-01 08:26:00"),
    2.55,
    17850,
    "United Kingdom",
]
BOOK = workbook(
    {
        "2009": [["Orders of 2009"], [], HEADER.split(","), [], SOLD],
        "empty": [],
        "a note": [["Ask Anne"]],
        "2010": [HEADER.split(","), [*SOLD[:5], "x", *SOLD[6:]]],
    }
)
BOTH: list[str | None] = [KEPT, "unit_price_unreadable"]
BY_LINE = BOTH[::-1]  # in row 5 of the first sheet, and row 2 of the last

# Name, content, and what becomes of each line: KEPT or a reason.
FILES: dict[str, tuple[bytes, list[str | None]]] = {
    "utf-8.csv": (csv_bytes(POUND), [KEPT]),
    "utf-8 with its mark.csv": (codecs.BOM_UTF8 + csv_bytes(POUND), [KEPT]),
    "utf-16.csv": (csv_bytes(POUND).decode().encode("utf-16"), [KEPT]),
    "utf-16 without its mark.csv": (csv_bytes(POUND).decode().encode("utf-16-le"), [KEPT]),
    "utf-16 of the other order.csv": (csv_bytes(POUND).decode().encode("utf-16-be"), [KEPT]),
    "windows.csv": (csv_bytes(POUND).decode().encode("cp1252"), [KEPT]),
    "two encodings.csv": (csv_bytes(POUND) + POUND.encode("cp1252") + b"\n", [KEPT, KEPT]),
    "crlf.csv": (csv_bytes(line(), line(), end="\r\n"), [KEPT, KEPT]),
    "old mac.csv": (csv_bytes(line(), line(), end="\r"), [KEPT, KEPT]),
    "no last line end.csv": (csv_bytes(line(), line())[:-1], [KEPT, "cut_off"]),
    "cut off.csv": (csv_bytes(line(), line())[:-40], [KEPT, "cut_off"]),
    "no last line end.csv.gz": (gzip.compress(csv_bytes(line())[:-1]), ["cut_off"]),
    "no last line end after quotes.csv": (
        csv_bytes(line(), line(country='"A\nB"'))[:-1],
        [KEPT, "cut_off"],
    ),
    "blank and no last line end.csv": (csv_bytes(line()) + b"  ", [KEPT]),
    "header without a line end.csv": (csv_bytes()[:-1], []),
    "break in quotes.csv": (csv_bytes(line(text='"RED\n\nMUG, ""BIG"""'), line()), [KEPT, KEPT]),
    "crlf in quotes.csv": (csv_bytes(line(text='"RED\r\nMUG"'), line(), end="\r\n"), [KEPT, KEPT]),
    "break in the first column.csv": (
        b"Description,InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n"
        b'"RED\r\nMUG",536365,A,6,2010-12-01 08:26:00,2.55,17850,EIRE\r\n'
        b"MUG,536366,A,6,2010-12-01 08:26:00,2.55,17850,EIRE\r\n",
        [KEPT, KEPT],
    ),
    "sloppy lines.csv": (
        csv_bytes(line(text='"RED'), line(text='MUG 12"')),
        ["wrong_number_of_fields", KEPT],
    ),
    "stray quote.csv": (
        csv_bytes(line(text='"RED'), line(), line(text='"TWO\nLINES"')),
        ["wrong_number_of_fields", KEPT, KEPT],
    ),
    "inches.csv": (csv_bytes(line(text='3" NAIL', price='"1,002.50"')), [KEPT]),
    "semicolons.csv": (csv_bytes(line()).replace(b",", b";"), [KEPT]),
    "tabs.csv": (csv_bytes(line()).replace(b",", b"\t"), [KEPT]),
    "pipes.csv": (csv_bytes(line()).replace(b",", b"|"), [KEPT]),
    "excel says sep.csv": (b"sep=;\r\n" + csv_bytes(line()).replace(b",", b";"), [KEPT]),
    "blank lines.csv": (b"\n \n" + csv_bytes(line(), "", "  ", line()), [KEPT, KEPT]),
    "other names.csv": (
        b"Country,Note,customer id,PRICE,InvoiceDate,Quantity,Description,StockCode,Invoice\n"
        b"EIRE,x,17850,2.55,2010-12-01 08:26:00,6,MUG,A,536365\n",
        [KEPT],
    ),
    "too many fields.csv": (csv_bytes(line() + ",more"), ["wrong_number_of_fields"]),
    "zeros.csv": (csv_bytes(line(), "\0" * 100), [KEPT, "zero_byte"]),
    "packed.csv.gz": (PACKED, [KEPT] * 499),
    "tabs.tsv": (csv_bytes(line()).replace(b",", b"\t"), [KEPT]),
    "bars.txt": (csv_bytes(line()).replace(b",", b"|"), [KEPT]),
    "members.zip": (zipped({"a.csv": csv_bytes(line()), "b.txt.TXT": csv_bytes(line(price="x"))}), BOTH),
    "one member.csv.zip": (zipped({"a.csv": csv_bytes(line()), "notes.pdf": b""}), [KEPT]),
    "book.xlsx": (BOOK, BY_LINE),
    "book.xlsx.gz": (gzip.compress(BOOK), BY_LINE),
    "book in an archive.zip": (zipped({"shop 1/book.xlsx": BOOK}), BY_LINE),
    "packed but not named so.csv": (gzip.compress(csv_bytes(line())), [KEPT]),
    "named packed but not so.csv.gz": (csv_bytes(line()), [KEPT]),
    "no header.csv": ((line() + "\n" + line()).encode(), ["no_header", "no_header"]),
    "a picture.csv": (b"\x89PNG\r\n\x1a\n\xff\xfa", ["no_header"] * 3),
    "empty.csv": (b"", []),
    "header only.csv": (csv_bytes(), []),
    os.fsdecode(b"not utf-8 \xff.csv"): (csv_bytes(line()), [KEPT]),
}
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "broken off.csv.gz": lambda data: data[: len(data) // 2],
    "wrong checksum.csv.gz": lambda data: data[:-8] + b"x" * 8,
    "a byte less.csv.gz": lambda data: data[:-1],
}


@pytest.fixture(scope="module")
def read(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> LinesByFile:
    """The lines of all files."""
    folder = tmp_path_factory.mktemp("landing")
    for name, (data, _) in FILES.items():
        land(folder, name, data)
    for name, damage in DAMAGES.items():
        land(folder, name, damage(PACKED))
    return tables.read(config, folder)


# -- what becomes of each line ------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_each_line_is_understood_or_rejected_with_a_reason(read: LinesByFile, name: str) -> None:
    shown = os.fsencode(name).decode("utf-8", errors="backslashreplace")
    assert [row["reason"] for row in read[shown]] == FILES[name][1]


@pytest.mark.parametrize("name", [name for name in FILES if FILES[name][0].startswith(codecs.BOM_UTF8)])
def test_a_mark_is_no_part_of_a_column_s_name(read: LinesByFile, name: str) -> None:
    assert read[name][0]["invoice_no"] == "536365"


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(("utf", "windows", "two"))])
def test_text_is_the_same_in_every_encoding(read: LinesByFile, name: str) -> None:
    assert {row["description"] for row in read[name]} == {"£5 CAFÉ"}


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("break in quotes.csv", [2, 5]), ("blank lines.csv", [4, 7]), ("break in the first column.csv", [2, 4])],
)
def test_a_line_is_numbered_by_the_lines_of_its_file(
    read: LinesByFile, name: str, numbers: list[int]
) -> None:
    assert [row["line"] for row in read[name]] == numbers


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("break in quotes.csv", {"description": 'RED\n\nMUG, "BIG"'}),
        ("break in the first column.csv", {"description": "RED\r\nMUG"}),
        ("inches.csv", {"description": '3" NAIL', "unit_price": Decimal("1002.5000")}),
        ("other names.csv", {"country": "EIRE", "customer_id": "17850", "stock_code": "A"}),
    ],
)
def test_a_field_has_its_value_without_quotes_and_in_its_column(
    read: LinesByFile, name: str, values: dict[str, object]
) -> None:
    row = read[name][0]
    assert {column: row[column] for column in values} == values


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_archive_is_read_as_far_as_it_unpacks_and_the_rest_is_one_reject(
    read: LinesByFile, name: str
) -> None:
    *before, last = read[name]
    assert last["reason"] == "file_damaged"
    assert [row["reason"] for row in before] == [None] * len(before)
    assert [row["quantity"] for row in before] == list(range(1, len(before) + 1))


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("book.xlsx", [("2010", 2), ("2009", 5)]),
        ("book.xlsx.gz", [("2010", 2), ("2009", 5)]),
        ("book in an archive.zip", [("shop 1/book.xlsx/2010", 2), ("shop 1/book.xlsx/2009", 5)]),
        ("members.zip", [("a.csv", 2), ("b.txt.TXT", 2)]),
        ("tabs.tsv", [(None, 2)]),
    ],
)
def test_a_line_is_known_by_its_part_and_its_place_there(
    read: LinesByFile, name: str, places: list[tuple[str | None, int]]
) -> None:
    assert {(row["part"], row["line"]) for row in read[name]} == set(places)


def test_a_sheet_has_the_values_that_a_csv_file_has(read: LinesByFile) -> None:
    apart = {"file", "part", "line"}
    (sold,) = [row for row in read["book.xlsx"] if row["part"] == "2009"]
    (same,) = read["tabs.tsv"]
    assert {name: sold[name] for name in sold.keys() - apart} == {
        name: same[name] for name in same.keys() - apart
    }
