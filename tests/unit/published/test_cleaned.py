"""Reading the published lines without Spark."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from include.errors import InputError, OutdatedError
from include.published.cleaned import read_cleaned_data
from include.published.tables import CLEANED_DATA

HEADER = ",".join(CLEANED_DATA.names)
LINES = [
    '536365,A1,"LAMP, RED",6,2010-12-01 08:26:00,2.55,17850,United Kingdom,purchase,15.30',
    'C536366,B2,"two\r\nlines",-1,2010-12-01 08:26:00.5,0.001,17850,,cancellation,-0.001',
    "536367,C3,'=cmd(),1,2010-12-02 00:00:00,1.00,'-A7,EIRE,purchase,1.00",
    "536368,,'tis a mug,1,2010-12-02 00:00:00,1.00,007,EIRE,purchase,1.00",
]


def read(folder: Path, *columns: str) -> list[tuple[object, ...]]:
    tables = read_cleaned_data(folder, list(columns))
    return [tuple(row.values()) for table in tables for row in table.to_pylist()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = "".join(f"{line}\r\n" for line in [HEADER, *LINES])
    (tmp_path / "cleaned_data.csv").write_bytes(text.encode())
    return tmp_path


def test_values_have_the_types_of_the_published_table(folder: Path) -> None:
    columns = ("quantity", "invoice_date", "unit_price", "amount")
    assert read(folder, *columns)[:2] == [
        (6, datetime(2010, 12, 1, 8, 26), Decimal("2.55"), Decimal("15.30")),  # noqa: DTZ001 - wall clock
        (-1, datetime(2010, 12, 1, 8, 26, 0, 500_000), Decimal("0.001"), Decimal("-0.001")),  # noqa: DTZ001
    ]


def test_texts_are_as_they_were_landed(folder: Path) -> None:
    """The apostrophe that keeps a spreadsheet from running a text is gone, any other one stays."""
    descriptions = [row[0] for row in read(folder, "description")]
    assert descriptions == ["LAMP, RED", "two\r\nlines", "=cmd()", "'tis a mug"]


def test_ids_keep_their_zeros_and_unknown_texts_are_null(folder: Path) -> None:
    assert read(folder, "customer_id", "country")[1:] == [("17850", None), ("-A7", "EIRE"), ("007", "EIRE")]
    assert read(folder, "stock_code")[3] == (None,)


def test_a_snapshot_without_them_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="export_cleaned_data"):
        read(tmp_path, "quantity")


@pytest.mark.parametrize("text", ["", "other,columns\r\n1,2\r\n", f"{HEADER}\r\n1,2\r\n"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "cleaned_data.csv").write_text(text)
    with pytest.raises(OutdatedError, match=r"cleaned_data\.csv is missing or damaged"):
        read(tmp_path, "quantity")
