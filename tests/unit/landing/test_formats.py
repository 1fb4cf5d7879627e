"""How a landed file is read, detected from its first lines."""

import codecs
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from include.errors import InputError
from include.landing.formats import FormattedFile, Header
from include.settings import RunConfig
from tests.tables import HEADER, csv_bytes, formatted_file, land, line

FormatOf = Callable[[bytes], FormattedFile]
PLAIN = csv_bytes(line())


@pytest.fixture
def format_of(tmp_path: Path, config: RunConfig) -> FormatOf:
    """Land bytes as a.csv, and look at their format."""

    def look(data: bytes) -> FormattedFile:
        return formatted_file(config, land(tmp_path, "a.csv", data))

    return look


def header_of(file: FormattedFile) -> Header:
    assert file.format.header
    return file.format.header


def test_the_usual_export_is_read_as_it_is(format_of: FormatOf) -> None:
    file = format_of(PLAIN)
    assert (file.format.encoding, file.format.header_lines) == (None, 1)
    header = header_of(file)
    assert (header.shop.name, header.delimiter, header.width) == ("online-retail", ",", 8)
    assert sorted(header.place_of.values()) == list(range(8))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PLAIN, "online-retail, UTF-8 or Windows-1252, commas, header in line 1"),
        (
            b"sep=;\n" + PLAIN.replace(b",", b";"),
            "online-retail, UTF-8 or Windows-1252, semicolons, header in line 2",
        ),
        (
            gzip.compress(PLAIN.decode().encode("utf-16")),
            "online-retail, gzip, UTF-16, commas, header in line 1",
        ),
        (b"nothing of ours\n", "no header with our columns"),
    ],
    ids=["usual", "semicolons", "packed", "foreign"],
)
def test_how_a_file_is_read_is_said_in_words(format_of: FormatOf, data: bytes, words: str) -> None:
    assert format_of(data).in_words == words


@pytest.mark.parametrize(
    "spell",
    [
        str.upper,
        lambda name: f" {name} ",
        lambda name: f'"{name}"',
        lambda name: f"\ufeff{name}\u200b",
        lambda name: "_".join(name),
        lambda name: name[0] + " - " + name[1:],
    ],
    ids=["case", "blanks", "quotes", "invisible marks", "underscores", "dashes"],
)
def test_names_in_the_header_are_compared_by_their_letters(
    format_of: FormatOf, spell: Callable[[str], str]
) -> None:
    header = header_of(format_of(csv_bytes(header=",".join(map(spell, HEADER.split(","))))))
    assert sorted(header.place_of.values()) == list(range(8))


def test_a_byte_order_mark_that_was_read_as_windows_1252_is_none_of_the_name(format_of: FormatOf) -> None:
    assert header_of(format_of(b"\xc3\xaf\xc2\xbb\xc2\xbf" + PLAIN)).place_of["invoice_no"] == 0


def test_columns_are_found_in_any_order_between_others(format_of: FormatOf) -> None:
    header = header_of(
        format_of(b"Country,Note,customer id,PRICE,InvoiceDate,Quantity,Description,StockCode,Invoice\n")
    )
    assert header.width == 9
    assert (header.place_of["invoice_no"], header.place_of["unit_price"]) == (8, 3)


def test_of_several_names_the_header_s_column_is_the_preferred_one(format_of: FormatOf) -> None:
    assert header_of(format_of(csv_bytes(header=f"Price,{HEADER}"))).place_of["unit_price"] == 6


def test_an_address_is_a_customer_rather_than_a_name(format_of: FormatOf) -> None:
    names = "Order ID,Date,Customer,Email,Total"
    assert header_of(format_of(csv_bytes(header=names))).place_of["customer_id"] == 3


HEADERS = [
    ("Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country", "online-retail"),
    ("BillNo;Itemname;Quantity;Date;Price;CustomerID;Country", "online-retail"),
    ("InvoiceNo,Quantity,InvoiceDate,UnitPrice,CustomerID", "online-retail"),
    (
        "Row ID,Order ID,Order Date,Ship Date,Customer ID,Segment,Country,Product ID,Sales,Quantity,Discount",
        "superstore",
    ),
    ("Name,Email,Financial Status,Total,Created at,Lineitem quantity,Lineitem price", "shopify"),
    ("InvoiceNo,InvoiceDate,CustomerID,Country,Total", "order-totals"),
    ("order_id\tcustomer_email\tcreated_at\tamount", "order-totals"),
    ("Order Number,SKU,Qty,Unit Price,Order Date,Client ID,Total", "generic"),
    ("Order ID,Product Code,Date,Customer,Line Total", "generic"),
    ("Order ID,Date,Email,Product,Total", "generic"),  # an item, not an order
    ("old_id,new_id", None),
    ("Sales report", None),
]


@pytest.mark.parametrize(("header", "name"), HEADERS)
def test_a_file_has_the_first_format_that_fits_its_header(
    format_of: FormatOf, header: str, name: str | None
) -> None:
    found = format_of(f"{header}\n".encode()).format.header
    assert (found.shop.name if found else None) == name


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_the_one_that_the_header_has_most_of(format_of: FormatOf, delimiter: str) -> None:
    file = format_of(PLAIN.replace(b",", delimiter.encode()))
    assert (file.format.delimiter, file.format.width) == (delimiter, 8)


@pytest.mark.parametrize(
    ("above", "lines"),
    [
        (b"\n \n", 3),
        (b"sep=,\r\n", 2),
        (b"sep=,\n\n", 3),
        (b"Sales report\nPeriod: March 2024, all shops\n\n", 4),
    ],
    ids=["blank lines", "Excel's sep", "both", "a title"],
)
def test_the_header_may_follow_blank_lines_a_title_and_excel_s_sep(
    format_of: FormatOf, above: bytes, lines: int
) -> None:
    file = format_of(above + PLAIN)
    assert (file.format.header_lines, file.format.width) == (lines, 8)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (codecs.BOM_UTF8 + PLAIN, None),
        (PLAIN.decode().encode("cp1252"), None),
        (PLAIN.decode().encode("utf-16"), "utf-16"),
        (PLAIN.decode().encode("utf-16-le"), "utf-16-le"),
        (PLAIN.decode().encode("utf-16-be"), "utf-16-be"),
    ],
    ids=["a mark", "Windows", "UTF-16", "little-endian", "big-endian"],
)
def test_utf_16_is_recognised_by_its_mark_or_its_zero_bytes(
    format_of: FormatOf, data: bytes, encoding: str | None
) -> None:
    file = format_of(data)
    assert (file.format.encoding, file.format.width) == (encoding, 8)


def test_a_compressed_file_is_known_by_its_bytes_whatever_its_name(format_of: FormatOf) -> None:
    file = format_of(gzip.compress(PLAIN))
    assert (file.part.packing, file.format.width) == ("gzip", 8)


@pytest.mark.parametrize("data", [b"", line().encode(), b"\x89PNG\r\n\x1a\n\xff\xfa"])
def test_a_file_without_any_of_our_columns_has_no_header(format_of: FormatOf, data: bytes) -> None:
    file = format_of(data)
    assert (file.format.width, file.format.header_lines) == (0, 0)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (HEADER.replace(",UnitPrice", ""), "column UnitPrice is missing .* aside as _.* Its header has Inv"),
        (HEADER.replace(",CustomerID", ""), "column CustomerID is missing"),
        (f"{HEADER},Unit Price", "column UnitPrice is doubled"),
    ],
    ids=["a price", "the customer", "doubled"],
)
def test_a_header_without_each_column_once_is_refused_by_file_line_and_column(
    format_of: FormatOf, header: str, problem: str
) -> None:
    with pytest.raises(InputError, match=rf"^a\.csv: line 1: {problem}"):
        format_of(csv_bytes(header=header))
