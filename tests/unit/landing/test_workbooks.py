"""Workbooks as text: what a person sees in a sheet is what the reader gets, row by row."""

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from include.landing.workbooks import WorkbookError, sheet_text, sheets
from tests.archives import saved, workbook

# ruff: noqa: DTZ001 - a workbook knows no time zones
HEADER = ["Invoice", "InvoiceDate", "Quantity", "Price", "Customer ID"]


def new_sheet() -> tuple[Workbook, Worksheet]:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Orders"
    return book, sheet


def text(book: Workbook) -> list[str]:
    return sheet_text(saved(book), "Orders").decode().splitlines()


def test_each_sheet_with_a_cell_is_a_text_in_the_order_of_the_workbook() -> None:
    """The two-sheet edition of the public data set."""
    data = workbook(
        {
            "Year 2009-2010": [HEADER, [489434, datetime(2009, 12, 1, 7, 45), 12, 6.95, 13085]],
            "empty": [],
            "Year 2010-2011": [HEADER, ["C536379", datetime(2010, 12, 1, 9, 41), -1, 27.5, 14527.0]],
        }
    )
    assert list(sheets(data)) == [
        (
            "Year 2009-2010",
            b"Invoice,InvoiceDate,Quantity,Price,Customer ID\n489434,2009-12-01 07:45:00,12,6.95,13085\n",
        ),
        (
            "Year 2010-2011",
            b"Invoice,InvoiceDate,Quantity,Price,Customer ID\nC536379,2010-12-01 09:41:00,-1,27.5,14527\n",
        ),
    ]


def test_a_line_of_the_text_is_a_row_of_the_sheet_whatever_is_above_it() -> None:
    book, sheet = new_sheet()
    sheet["B3"] = "Orders of 2010"
    sheet.merge_cells("B3:D3")
    sheet["B5"], sheet["C5"] = "Invoice", "Price"
    sheet["B7"], sheet["C7"] = 536365, 2.55
    assert text(book) == ["", "", "Orders of 2010,", "", "Invoice,Price", "", "536365,2.55"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (17850, "17850"),
        (17850.0, "17850"),
        (2.55, "2.55"),
        (0.1 + 0.2, "0.3"),
        (-80995, "-80995"),
        (0.0001, "0.0001"),
        (1e15, "1000000000000000"),
        (123456789.12, "123456789.12"),
        (-12345678.9, "-12345678.9"),
        ("00123", "00123"),
        ("1234567890123456789", "1234567890123456789"),
        (datetime(2010, 12, 1, 8, 26), "2010-12-01 08:26:00"),
        (datetime(2010, 12, 1, 8, 26, 59), "2010-12-01 08:26:59"),
        (date(2010, 12, 1), "2010-12-01 00:00:00"),
        (" two\nlines\r\nor three ", " two lines or three "),
        ('3" NAIL, RED', '"3"" NAIL, RED"'),
        ("£5 CAFÉ", "£5 CAFÉ"),
        (None, ""),
    ],
)
def test_a_cell_is_written_as_a_csv_file_has_it(value: str | float | datetime | None, shown: str) -> None:
    book, sheet = new_sheet()
    sheet.append(["start", value, "end"])
    assert text(book) == [f"start,{shown},end"]


@pytest.mark.parametrize("shown_as", ["dd/mm/yyyy hh:mm", "m/d/yy h:mm", "[$-409]d-mmm-yy h:mm AM/PM;@"])
def test_a_date_is_iso_whatever_excel_shows(shown_as: str) -> None:
    book, sheet = new_sheet()
    sheet.append([40513.351388888892, "end"])  # days since 1900, as Excel keeps a time
    sheet["A1"].number_format = shown_as
    assert text(book) == ["2010-12-01 08:26:00,end"]


def test_a_number_with_a_format_is_the_number() -> None:
    book, sheet = new_sheet()
    sheet.append([1234.5, 0.25, 7.5])
    for cell, shown_as in zip("ABC", ["#,##0.00", "0%", "[$£-809]#,##0.00"], strict=True):
        sheet[f"{cell}1"].number_format = shown_as
    assert text(book) == ["1234.5,0.25,7.5"]


def test_a_formula_is_its_result_and_an_error_is_empty() -> None:
    """Excel keeps the result beside the formula; openpyxl writes the formula only, so it is put in here."""
    book, sheet = new_sheet()
    sheet.append(["=B1*2", 3, "end"])
    sheet.append(["#N/A", 4, "end"])
    assert text(book) == [",3,end", ",4,end"]
    data = saved(book)
    assert sheet_text(with_result(data, "<v></v>", "<v>6</v>"), "Orders") == b"6,3,end\n,4,end\n"


def with_result(data: bytes, empty: str, result: str) -> bytes:
    """The workbook with the result of its formula."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name.startswith("xl/worksheets/sheet"):
                assert empty.encode() in text or b"<v/>" in text or b"<v />" in text
                for spelling in (empty, "<v/>", "<v />"):
                    text = text.replace(spelling.encode(), result.encode())
            new.writestr(name, text)
    return stream.getvalue()


def test_a_hidden_sheet_is_a_sheet_and_a_chart_is_none() -> None:
    book, sheet = new_sheet()
    sheet["A1"] = 1
    hidden = book.create_sheet("Hidden")
    hidden["A1"], hidden.sheet_state = 2, "hidden"
    book.create_chartsheet("Chart")
    assert [name for name, _ in sheets(saved(book))] == ["Orders", "Hidden"]


@pytest.mark.parametrize("damage", [lambda data: b"no workbook", lambda data: data[:-100], lambda data: b""])
def test_what_is_no_workbook_is_said_to_be_none(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(WorkbookError):
        list(sheets(damage(workbook({"Orders": [HEADER]}))))


def test_a_damaged_sheet_is_named() -> None:
    data = workbook({"Orders": [HEADER], "More": [HEADER] * 50})
    broken = without(data, "xl/worksheets/sheet2.xml")
    with pytest.raises(WorkbookError, match="sheet More"):
        list(sheets(broken))


def without(data: bytes, part: str) -> bytes:
    """The workbook with one of its sheets broken off."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[: 500 if name == part else None])
    return stream.getvalue()
