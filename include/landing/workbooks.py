"""Workbooks: each sheet of an .xlsx file as CSV text, so that the one reader reads it.

A line of the text is a row of the sheet, blank ones included, so lines have the numbers that Excel shows.
Hidden sheets are sheets. Dates are ISO, whatever format Excel shows them in, and numbers have as few digits
as they need and no exponent. A formula is its result as the file has it. A line break inside of a cell is a
blank. A cell with an error such as #N/A is empty.
"""

import io
import re
from collections.abc import Iterator

import fastexcel
import polars as pl

LINE_BREAKS = r"[\r\n]+"
TOO_EXACT = r"^-?[0-9]{7,}\.[0-9]{9}$"  # fastexcel writes nine decimals, of which a large number has fewer
BLANK_ROW = re.compile(rb'^(?:,+|"")$', re.MULTILINE)


class WorkbookError(Exception):
    """A file that is no workbook, or a damaged one."""


def sheets(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The name and the text of each sheet that has a cell. Raises WorkbookError."""
    workbook = opened(data)
    for name in workbook.sheet_names:
        if text := text_of(workbook, name):
            yield name, text


def sheet_text(data: bytes, sheet: str) -> bytes:
    """The text of a sheet. Raises WorkbookError."""
    return text_of(opened(data), sheet)


def opened(data: bytes) -> fastexcel.ExcelReader:
    try:
        return fastexcel.read_excel(data)
    except fastexcel.FastExcelError as error:
        raise WorkbookError(first_line(error)) from None


def text_of(workbook: fastexcel.ExcelReader, sheet: str) -> bytes:
    """A sheet as UTF-8 with commas and quotes as in RFC 4180; nothing where it has no cell."""
    cells, text = cells_of(workbook, sheet), io.BytesIO()
    cells.select(plain(pl.col(name)) for name in cells.columns).write_csv(text, include_header=False)
    return BLANK_ROW.sub(b"", text.getbuffer())


def cells_of(workbook: fastexcel.ExcelReader, sheet: str) -> pl.DataFrame:
    """The rows of a sheet from the first on, as text."""
    try:
        loaded = workbook.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
        return pl.DataFrame(loaded) if loaded.width else pl.DataFrame()
    except fastexcel.FastExcelError as error:
        raise WorkbookError(f"sheet {sheet}: {first_line(error)}") from None


def plain(cell: pl.Expr) -> pl.Expr:
    """A cell in one line, and a large number with the digits that it has."""
    exact = cell.cast(pl.Float64, strict=False).cast(pl.String)
    return pl.when(cell.str.contains(TOO_EXACT)).then(exact).otherwise(cell.str.replace_all(LINE_BREAKS, " "))


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
