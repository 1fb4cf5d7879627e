"""`make check`: how exports would be read, what is doubtful, and the exit code that says it."""

from pathlib import Path

import pytest
import yaml

from include.commands.check import main
from include.commands.terminal import console
from include.shop_formats import ShopFormat
from tests.tables import HEADER, csv_bytes, land, line


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_width", 400)


def shop(folder: Path, customers: int = 120) -> Path:
    """Files of some customers, each with two orders."""
    for day in (1, 2):
        rows = [
            line(invoice=str(1000 * day + n), date=f"2010-12-{day:02} 08:26:00", customer=str(17000 + n))
            for n in range(customers)
        ]
        land(folder, f"2010-12-{day:02}.csv", csv_bytes(*rows))
    return folder


def checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main([str(folder)])
    output = capsys.readouterr()
    return code, output.out + output.err


def test_like_files_are_one_row_of_the_table_and_nothing_is_doubtful(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = checked(shop(tmp_path), capsys)
    assert code == 0
    (row,) = [row for row in text.splitlines() if "online-retail" in row]
    assert row.split()[:5] == ["2", "240", "240", "2010-12-01.csv", "..."]
    assert "a decimal point" in row
    assert "nothing is doubtful" in text


def test_rejects_are_shown_with_three_examples_of_each_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(shop(tmp_path), "odd.csv", csv_bytes(*[line(price=f"x{n}") for n in range(5)], line(customer="")))
    _, text = checked(tmp_path, capsys)
    assert "5 rejected as unit_price_unreadable" in text
    assert "  odd.csv, line 2: 536365,85123A,RED MUG,6,2010-12-01 08:26:00,x0,17850.0,United Kingdom" in text
    assert "x2" in text
    assert "x3" not in text
    assert "1 rejected as missing_customer" in text


def test_what_is_not_counted_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shop(tmp_path)
    land(folder, "copy of the 1st.csv", (folder / "2010-12-01.csv").read_bytes())
    land(folder, "orders.xls", b"old")
    _, text = checked(folder, capsys)
    assert "not counted  copy of the 1st.csv has the same content as 2010-12-01.csv" in text
    assert "not counted  orders.xls is not read; save it as .xlsx or .csv" in text


def test_doubts_have_exit_code_1_and_the_configuration_to_paste(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [line(invoice=str(9000 + n), customer="99999") for n in range(300)]
    land(shop(tmp_path), "till.csv", csv_bytes(*rows))
    code, text = checked(tmp_path, capsys)
    assert code == 1
    assert 'guest_ids: ["99999"]' in text


def test_what_publish_would_refuse_has_the_pattern_to_paste(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(tmp_path, "us.csv", csv_bytes(*[line(invoice=f"CA-2024-{n}") for n in range(150)]))
    code, text = checked(tmp_path, capsys)
    assert code == 1
    assert "publish would refuse it: 150 of 150 lines" in text
    assert "`purchase_invoices: 'CA-[0-9]+-[0-9]+'`" in text


def test_orders_in_several_files_are_a_doubt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shop(tmp_path)
    again = (folder / "2010-12-01.csv").read_bytes() + line(invoice="1").encode() + b"\n"
    land(folder, "2010-12-01 again.csv", again)
    code, text = checked(folder, capsys)
    assert code == 1
    assert "120 invoice numbers are in more than one file" in text
    assert "`invoice_in_several_files: newest`" in text


def test_what_ingest_refuses_has_exit_code_2_with_the_line_and_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(tmp_path, "till.csv", csv_bytes(line(date="03/04/2024 10:15")))
    code, text = checked(tmp_path, capsys)
    assert code == 2
    assert "till.csv: line 2: the date can be read with the day first and with the month first" in text
    assert "`date_order: day_first` or `date_order: month_first`" in text
    assert "The line is: 536365,85123A" in text


TOTALS = "Order ID,Date,Email,Product,Qty"
ITEMS = "Order ID,SKU,Qty,Unit Price,Order Date,Client ID"
LOOKS_WRONG = {
    "the total of an order in each of its lines": (
        f"{TOTALS},Total",
        ["1,2024-03-01,a@b.c,Soap,1,30.00", "1,2024-03-01,a@b.c,Towel,2,30.00"],
        "line 2: the lines of an order have one amount",
    ),
    "the price of a line in place of that of a piece": (
        f"{TOTALS},Price,Total",
        ["1,2024-03-01,a@b.c,Soap,1,5.00,5.00", "2,2024-03-01,a@b.c,Towel,2,9.00,9.00"],
        "line 3: the price of several pieces is their amount too",
    ),
    "another export below the first one": (
        ITEMS,
        ["1,S-1,2,2.50,2024-03-01,C-1", "Order ID,Client ID,Qty,Unit Price,Order Date,SKU"],
        "line 3: a header with the columns at other places",
    ),
    "short years first": (
        ITEMS,
        ["1,S-1,2,2.50,24-03-01,C-1", "2,S-1,2,2.50,24-03-02,C-1"],
        "line 2: the dates seem to begin with the year",
    ),
    "day and month exchanged by a spreadsheet": (
        ITEMS,
        [f"{n},S-1,2,2.50,2024-{n:02}-03,C-1" for n in (4, 5, 6)]
        + [f"{n},S-1,2,2.50,{n}/03/2024,C-1" for n in (13, 14, 15)],
        "line 2: a spreadsheet seems to have taken the day of this date for its month",
    ),
}


@pytest.mark.parametrize(("header", "rows", "problem"), LOOKS_WRONG.values(), ids=LOOKS_WRONG)
def test_what_would_be_counted_wrong_without_a_word_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], header: str, rows: list[str], problem: str
) -> None:
    land(tmp_path, "till.csv", csv_bytes(*rows, header=header))
    code, text = checked(tmp_path, capsys)
    assert code == 2
    assert f"till.csv: {problem}" in text


LOOKS_RIGHT = {
    "lines with amounts of their own": (
        f"{TOTALS},Total",
        [f"{order},2024-03-01,a@b.c,{item}" for order in "12" for item in ("Soap,1,30.00", "Towel,2,30.00")]
        + ["3,2024-03-01,a@b.c,Soap,1,30.00", "3,2024-03-01,a@b.c,Towel,2,15.00"],
    ),
    "prices of a piece": (
        f"{TOTALS},Price,Total",
        ["1,2024-03-01,a@b.c,Soap,1,5.00,5.00", "2,2024-03-01,a@b.c,Towel,2,9.00,18.00"],
    ),
    "short years last": (ITEMS, ["1,S-1,2,2.50,13-03-24,C-1", "2,S-1,2,2.50,14-03-24,C-1"]),
    "dates in several spellings": (
        ITEMS,
        [f"{n},S-1,2,2.50,2024-04-{n:02},C-1" for n in (3, 13, 14)]
        + [f"{n},S-1,2,2.50,{n}/03/2024,C-1" for n in (13, 14, 15)],
    ),
}


@pytest.mark.parametrize(("header", "rows"), LOOKS_RIGHT.values(), ids=LOOKS_RIGHT)
def test_what_lines_prove_to_be_right_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], header: str, rows: list[str]
) -> None:
    land(tmp_path, "till.csv", csv_bytes(*rows, header=header))
    assert checked(tmp_path, capsys)[0] == 1  # only few customers


def test_two_currencies_are_a_doubt_where_only_the_prices_have_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(shop(tmp_path), "paris.csv", csv_bytes(line(price="€7.50"), line(price="£7.50")))
    code, text = checked(tmp_path, capsys)
    assert code == 1
    assert "2 currencies are in column currency, EUR (paris.csv), GBP (paris.csv)" in text


def test_discounts_that_prices_do_not_have_are_a_doubt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["1,S-1,2,2.50,2024-03-01,C-1,0.00", "2,S-1,2,2.50,2024-03-01,C-1,0.50"]
    land(tmp_path, "till.csv", csv_bytes(*rows, header=f"{ITEMS},Discount"))
    assert "column discount has several values, 0.00, 0.50" in checked(tmp_path, capsys)[1]


def test_all_problems_are_shown_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    land(tmp_path, "till.csv", csv_bytes(line(date="03/04/2024 10:15")))
    land(tmp_path, "other.csv", csv_bytes(line(), header=HEADER.replace("CustomerID", "Member")))
    code, text = checked(tmp_path, capsys)
    assert code == 2
    assert "till.csv: line 2" in text
    assert "other.csv: line 1: column CustomerID is missing" in text


def test_an_unknown_header_gets_the_draft_of_a_format_that_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(tmp_path, "kasse.csv", b"Belegnummer;Datum;Kunde;Menge;Preis;Currency\n1;27.04.2024;7;2;3,50;EUR\n")
    code, text = checked(tmp_path, capsys)
    assert code == 1
    drafted = "columns:" + text.partition("columns:")[2]
    form = ShopFormat.model_validate({"name": "my-shop", **yaml.safe_load(drafted)})
    assert form.columns.invoice_no == ("Belegnummer",)
    assert form.columns.customer_id == ("Kunde",)
    assert (form.columns.quantity, form.columns.unit_price) == (("Menge",), ("Preis",))


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = checked(tmp_path / "absent", capsys)
    assert (code, text) == (
        2,
        f"make check: DATA: {tmp_path}/absent is missing; give a folder of files with orders\n",
    )


def test_a_folder_of_which_nothing_can_be_opened_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    land(tmp_path, "orders.xlsx", b"only its name counts")
    code, text = checked(tmp_path, capsys)
    assert code == 2
    assert "orders.xlsx is no workbook" in text


def test_nothing_to_read_is_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = checked(tmp_path, capsys)
    assert code == 2
    assert text.startswith("make check: ")
    assert "has no file that can be read" in text
