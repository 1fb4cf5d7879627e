"""Rows that are no orders, and rows that are one order together."""

from decimal import Decimal
from pathlib import Path

import pytest

from include.settings import RunConfig
from tests.tables import HEADER, LinesByFile, csv_bytes, land, line, read

# A row below a usual line, and why it is rejected.
ROWS = [
    (HEADER, "repeated_header"),
    (HEADER.upper(), "repeated_header"),
    (",".join(f'"{name}"' for name in HEADER.split(",")), "repeated_header"),
    ("Grand Total,,,2,,15.00,,", "total_row"),
    ("Total:,,,2,,15.00,,", "total_row"),
    (",,Subtotal,2,,15.00,,", "total_row"),
    ('"TOTAL",,,2,,15.00,,', "total_row"),
    ("Summe,,,2,,15.00,,", "total_row"),
    ("Total,15.00", "total_row"),
    (line(invoice="Total"), "unknown_invoice_type"),  # with a date, it may be an order
    (line(text="Total Gym"), "purchase"),
    ("Totally,,,2,,15.00,,", "invoice_date_unreadable"),
]


@pytest.mark.parametrize(("row", "what"), ROWS)
def test_a_repeated_header_and_a_row_of_totals_are_told_from_orders(
    config: RunConfig, tmp_path: Path, row: str, what: str
) -> None:
    land(tmp_path, "a.csv", csv_bytes(line(), row, line()))
    first, found, last = read(config, tmp_path)["a.csv"]
    assert (found["reason"] or found["line_type"]) == what
    assert first["line_type"] == last["line_type"] == "purchase"


SHOPIFY = "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem price"
ORDERS = [
    "#1,Ann@example.org,paid,2026-03-01 09:00:00 +0000,2,Soap,6.00",
    "#1,,,,1,Towel,14.00",
    ",,,,1,Brush,3.00",
    "#2,,pending,2026-03-02 09:00:00 +0000,1,Soap,6.00",
    "#3,bob@example.org,refunded,2026-03-03 09:00:00 +0000,1,Soap,6.00",
    "#3,,,,2,Towel,14.00",
]


@pytest.fixture(scope="module")
def shopify(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> LinesByFile:
    """ORDERS; and the same with the column of what was refunded, of which the first order has some."""
    folder = tmp_path_factory.mktemp("landing")
    land(folder, "status.csv", csv_bytes(*ORDERS, header=SHOPIFY))
    refunds = ["2.50", "", "", "", "", ""]
    rows = [f"{order},{refund}" for order, refund in zip(ORDERS, refunds, strict=True)]
    land(folder, "amount.csv", csv_bytes(*rows, header=f"{SHOPIFY},Refunded Amount"))
    return read(config, folder)


def test_the_first_row_of_an_order_has_the_fields_of_all_its_rows(shopify: LinesByFile) -> None:
    rows = shopify["status.csv"][:3]
    assert [row["invoice_no"] for row in rows] == ["#1"] * 3
    assert [row["customer_id"] for row in rows] == ["ann@example.org"] * 3
    assert len({row["invoice_date"] for row in rows}) == 1


def test_an_order_that_does_not_count_is_rejected_as_that(shopify: LinesByFile) -> None:
    assert [row["reason"] for row in shopify["status.csv"]] == [None] * 3 + ["order_not_counted"] + [None] * 2


def test_a_refunded_order_is_a_purchase_and_all_of_it_is_given_back(shopify: LinesByFile) -> None:
    rows = shopify["status.csv"]
    assert [row["refunded"] for row in rows[:3]] == [None] * 3
    assert [row["refunded"] for row in rows[4:]] == [Decimal(6), Decimal(28)]
    assert {row["line_type"] for row in rows[4:]} == {"purchase"}


def test_where_a_column_has_what_was_refunded_the_status_does_not_count(shopify: LinesByFile) -> None:
    rows = shopify["amount.csv"]
    assert [row["refunded"] for row in rows] == [Decimal("2.5"), None, None, None, None, None]


def test_an_order_total_has_no_quantity_and_a_negative_one_takes_back(
    config: RunConfig, tmp_path: Path
) -> None:
    header = "order_id,created_at,customer_email,total"
    rows = ["1,2026-03-01,a@b.org,57.30", "2,2026-03-02,a@b.org,-7.30", "3,2026-03-02,a@b.org,0"]
    land(tmp_path, "a.csv", csv_bytes(*rows, header=header))
    found = read(config, tmp_path)["a.csv"]
    assert [row["line_type"] for row in found] == ["purchase", "cancellation", "amount_not_positive"]
    assert [row["amount"] for row in found] == [Decimal("57.3"), Decimal("-7.3"), Decimal(0)]
    assert {row["quantity"] for row in found} == {None}


def test_a_till_that_starts_again_has_its_day_in_the_invoice_number(
    config: RunConfig, tmp_path: Path
) -> None:
    shops = config.settings.landing.formats
    daily = tuple(shop.model_copy(update={"invoice_is": "number_and_day"}) for shop in shops)
    landing = config.settings.landing.model_copy(update={"formats": daily})
    till = config.model_copy(update={"settings": config.settings.model_copy(update={"landing": landing})})
    land(tmp_path, "a.csv", csv_bytes(line(invoice="1"), line(invoice="C1", quantity="-1")))
    found = read(till, tmp_path)["a.csv"]
    assert [row["invoice_no"] for row in found] == ["2010-12-01/1", "2010-12-01/C1"]
    assert [row["line_type"] for row in found] == ["purchase", "cancellation"]
