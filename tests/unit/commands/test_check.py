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


def test_nothing_to_read_is_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = checked(tmp_path, capsys)
    assert code == 2
    assert text.startswith("make check: ")
    assert "has no file that can be read" in text
