"""How a landed file is read, detected from its first lines."""

import codecs
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from include.errors import InputError
from include.landing.files import LandedFile, identity
from include.landing.formats import Format, file_format
from include.settings import RunConfig
from tests.tables import HEADER, csv_bytes, land, line

FormatOf = Callable[[bytes], Format]
PLAIN = csv_bytes(line())


@pytest.fixture
def format_of(tmp_path: Path, config: RunConfig) -> FormatOf:
    """Land bytes as a.csv, and look at their format."""

    def look(data: bytes) -> Format:
        file = land(tmp_path, "a.csv", data)
        return file_format(LandedFile(file, file.name, *identity(file)), config.settings.landing.columns)

    return look


def test_the_usual_export_is_read_as_it_is(format_of: FormatOf) -> None:
    assert format_of(PLAIN) == Format(
        compressed=False,
        encoding=None,
        header_lines=1,
        delimiter=",",
        width=8,
        places=tuple(range(8)),
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PLAIN, "UTF-8 or Windows-1252, commas, header in line 1"),
        (b"sep=;\n" + PLAIN.replace(b",", b";"), "UTF-8 or Windows-1252, semicolons, header in line 2"),
        (gzip.compress(PLAIN.decode().encode("utf-16")), "gzip, UTF-16, commas, header in line 1"),
        (b"nothing of ours\n", "no header with our columns"),
    ],
    ids=["usual", "semicolons", "packed", "foreign"],
)
def test_how_a_file_is_read_is_said_in_words(format_of: FormatOf, data: bytes, words: str) -> None:
    assert format_of(data).in_words == words


def test_names_in_the_header_are_compared_without_case_and_spaces_around(format_of: FormatOf) -> None:
    names = [f" {name.upper()} " for name in HEADER.split(",")]
    form = format_of(csv_bytes(header=",".join(names)))
    assert (form.width, form.places, form.header_lines) == (8, tuple(range(8)), 1)


def test_columns_are_found_in_any_order_between_others(format_of: FormatOf) -> None:
    form = format_of(b"Country,Note,customer id,PRICE,InvoiceDate,Quantity,Description,StockCode,Invoice\n")
    assert (form.width, form.places) == (9, (8, 7, 6, 5, 4, 3, 2, 0))


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_the_one_that_the_header_has_most_of(format_of: FormatOf, delimiter: str) -> None:
    form = format_of(PLAIN.replace(b",", delimiter.encode()))
    assert (form.delimiter, form.width) == (delimiter, 8)


@pytest.mark.parametrize(
    ("above", "lines"),
    [(b"\n \n", 3), (b"sep=,\r\n", 2), (b"sep=,\n\n", 3)],
    ids=["blank lines", "Excel's sep", "both"],
)
def test_the_header_may_follow_blank_lines_and_excel_s_sep(
    format_of: FormatOf, above: bytes, lines: int
) -> None:
    form = format_of(above + PLAIN)
    assert (form.header_lines, form.width) == (lines, 8)


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
    form = format_of(data)
    assert (form.encoding, form.width) == (encoding, 8)


def test_a_compressed_file_is_known_by_its_bytes_whatever_its_name(format_of: FormatOf) -> None:
    form = format_of(gzip.compress(PLAIN))
    assert (form.compressed, form.width) == (True, 8)


@pytest.mark.parametrize("data", [b"", line().encode(), b"\x89PNG\r\n\x1a\n\xff\xfa"])
def test_a_file_without_any_of_our_columns_has_no_header(format_of: FormatOf, data: bytes) -> None:
    form = format_of(data)
    assert (form.width, form.header_lines) == (0, 0)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (HEADER.replace(",UnitPrice", ""), "column UnitPrice .* aside as _.* Its header has Inv"),
        (f"{HEADER},Price", "column UnitPrice missing or doubled"),
    ],
    ids=["missing", "doubled"],
)
def test_a_header_without_each_column_once_is_refused_by_file_line_and_column(
    format_of: FormatOf, header: str, problem: str
) -> None:
    with pytest.raises(InputError, match=rf"^a\.csv: line 1: {problem}"):
        format_of(csv_bytes(header=header))
