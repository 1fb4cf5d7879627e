"""What is doubtful about the invoices of several deliveries."""

from datetime import date
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from include.lake import invoices
from include.lake.deliveries import Delivery
from include.lake.invoices import invoice_findings, scan_lines, scan_orders
from include.lake.manifest import BatchedFiles, FileEntry, InvoiceFinding
from include.lake.paths import batch_folder

Orders = list[tuple[str, str, str, str]]  # customer, invoice, date, product of its only line

WEEKS: dict[str, Orders] = {
    "week1.csv": [
        ("ann", "1", "2024-03-01", "tea"),
        ("bob", "2", "2024-03-01", "tea"),
        ("cid", "3", "2024-03-01", "tea"),
        ("dan", "4", "2024-01-01", "tea"),
        ("eve", "5", "2024-03-01", "tea"),
    ],
    "week2.csv": [
        ("ann", "1", "2024-03-01", "tea"),
        ("bob", "2", "2024-03-01", "cup"),
        ("dan", "4", "2024-03-02", "tea"),
        ("fay", "5", "2024-03-01", "tea"),
        ("ann", "C1", "2024-03-02", "tea"),
    ],
    "week3.csv": [("ann", "1", "2024-03-01", "tea"), ("gus", "6", "2024-03-03", "tea")],
    "north/a.csv": [("ann", "70", "2024-03-01", "tea")],
    "south/a.csv": [("hal", "70", "2024-03-01", "tea")],
    "alone.csv": [("ann", "80", "2024-03-01", "tea"), ("bob", "80", "2024-04-02", "tea")],
}
SHEETS = [Delivery("book.xlsx", sheet, "shop") for sheet in ("first", "second")]
OTHER_SHOP = Delivery("other.csv", None, "other-shop")
ALL = [*(Delivery(name, None, "shop") for name in WEEKS), *SHEETS, OTHER_SHOP]
NAMES = list(dict.fromkeys(delivery.file for delivery in ALL))


def order_table(delivery: Delivery, orders: Orders) -> pl.LazyFrame:
    rows = [(delivery.file, delivery.part, *order, 1) for order in orders]
    columns = ["file", "part", "customer_id", "invoice_no", "order_date", "product", "lines"]
    types = dict.fromkeys(columns, pl.String) | {"lines": pl.Int64}
    return pl.LazyFrame(rows, types, orient="row").with_columns(pl.col("order_date").str.to_date())


def all_orders() -> pl.LazyFrame:
    """The orders of WEEKS, each with its only line; invoice 90 in both sheets; and 3 in another format."""
    weeks = [order_table(delivery, WEEKS[delivery.file]) for delivery in ALL if delivery.file in WEEKS]
    sheets = [order_table(sheet, [("ann", "90", "2024-03-01", "tea")]) for sheet in SHEETS]
    other = order_table(OTHER_SHOP, [("zoe", "3", "2024-03-01", "tea")])
    return pl.concat([*weeks, *sheets, other])


@pytest.fixture(scope="module")
def findings() -> dict[str, list[InvoiceFinding]]:
    return invoice_findings(all_orders(), all_orders, ALL, NAMES)


def of_kind(findings: list[InvoiceFinding], what: str) -> InvoiceFinding:
    (found,) = [finding for finding in findings if finding.what == what]
    return found


def test_files_without_doubtful_invoices_have_no_findings(findings: dict[str, list[InvoiceFinding]]) -> None:
    assert {*findings} == {"week2.csv", "week3.csv", "south/a.csv", "alone.csv", "book.xlsx"}


def test_repeated_invoices_are_counted_once_and_their_lines_each_time(
    findings: dict[str, list[InvoiceFinding]],
) -> None:
    second = of_kind(findings["week2.csv"], "repeated")
    assert (second.invoices, second.lines) == (2, 2)
    assert (second.example.invoice_no, second.example.older_file) == ("1", "week1.csv")
    third = of_kind(findings["week3.csv"], "repeated")
    assert (third.invoices, third.lines, third.example.older_file) == (0, 1, "week2.csv")


def test_an_invoice_with_other_products_goes_on_and_is_not_alike(
    findings: dict[str, list[InvoiceFinding]],
) -> None:
    """Of the two repeated ones, invoice 1 has tea in both files, invoice 2 first tea and then a cup."""
    assert of_kind(findings["week2.csv"], "repeated").alike == 1


def test_one_number_on_days_far_apart_is_found(findings: dict[str, list[InvoiceFinding]]) -> None:
    found = of_kind(findings["week2.csv"], "far_apart")
    assert (found.invoices, found.example.days) == (1, (date(2024, 1, 1), date(2024, 3, 2)))


def test_one_number_with_several_customers_is_found(findings: dict[str, list[InvoiceFinding]]) -> None:
    found = of_kind(findings["week2.csv"], "several_customers")
    assert (found.invoices, found.example.customers) == (1, ("eve", "fay"))


def test_one_number_in_two_folders_is_found(findings: dict[str, list[InvoiceFinding]]) -> None:
    (found,) = findings["south/a.csv"]
    assert (found.what, found.older_folder, found.invoices) == ("other_folder", "north", 1)


def test_a_file_can_be_doubtful_alone(findings: dict[str, list[InvoiceFinding]]) -> None:
    """From 1 March to 2 April are 32 days."""
    (found,) = findings["alone.csv"]
    assert (found.what, found.example.older_file) == ("far_apart", None)


def test_sheets_of_a_workbook_are_deliveries(findings: dict[str, list[InvoiceFinding]]) -> None:
    (found,) = findings["book.xlsx"]
    assert (found.what, found.example.older_file) == ("repeated", "book.xlsx (first)")


def test_the_same_order_in_two_formats_is_found_whatever_its_number_means_elsewhere() -> None:
    totals, items = Delivery("totals.csv", None, "totals"), Delivery("items.csv", None, "items")
    orders = [("ann", "1", "2024-03-01", "tea"), ("bob", "2", "2024-03-01", "tea")]
    others = [("ann", "1", "2024-03-01", "tea"), ("cid", "2", "2024-03-01", "tea")]
    tables = pl.concat([order_table(items, orders), order_table(totals, others)])
    found = invoice_findings(tables, lambda: tables, [items, totals], ["items.csv", "totals.csv"])
    (finding,) = found["totals.csv"]
    assert (finding.what, finding.invoices, finding.example.invoice_no) == ("other_format", 1, "1")
    assert finding.example.older_file == "items.csv"
    assert "items.csv" not in found


@pytest.mark.parametrize("asked", [["week2.csv"], ["week3.csv", "alone.csv"], ["week1.csv"]], ids=str)
def test_a_file_that_is_compared_later_has_the_same_findings(
    findings: dict[str, list[InvoiceFinding]], asked: list[str]
) -> None:
    expected = {name: findings[name] for name in asked if name in findings}
    assert invoice_findings(all_orders(), all_orders, ALL, asked) == expected


def test_a_batch_without_orders_is_read_beside_others(tmp_path: Path) -> None:
    stage, first = tmp_path / "orders", WEEKS["week1.csv"]
    for batch in ("full", "empty"):
        batch_folder(stage, batch).mkdir(parents=True)
    written = pl.concat([order_table(Delivery(name, None, "shop"), first) for name in ("a.csv", "gone.csv")])
    written.collect().write_parquet(batch_folder(stage, "full") / "a.parquet")
    files = {"a.csv": FileEntry(batch="full"), "b.csv": FileEntry(batch="empty")}
    batched = BatchedFiles[FileEntry](files=files, files_in_batch={"full": 2, "empty": 1})
    assert scan_orders(stage, batched).select("file").collect().to_series().to_list() == ["a.csv"] * 5
    batched = batched.of(["b.csv"])
    lines = partial(scan_lines, stage, batched)
    deliveries = [Delivery("b.csv", None, "shop")]
    assert invoice_findings(scan_orders(stage, batched), lines, deliveries, ["b.csv"]) == {}


def test_many_orders_are_compared_some_at_a_time(
    findings: dict[str, list[InvoiceFinding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoices, "ORDERS_AT_ONCE", 5)
    assert invoice_findings(all_orders(), all_orders, ALL, NAMES) == findings
