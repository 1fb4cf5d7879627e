"""The second edition of the Online Retail data as it is published: a workbook of two sheets that overlap."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tests.archives import Rows, workbook
from tests.jobs.conftest import Snapshot
from tests.jobs.shop import customers_of
from tests.jobs.test_jobs import configure
from tests.shapes import configured
from tests.tables import land

HEADER = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]


def sale(invoice: int | str, day: int, quantity: int, customer: float | None) -> list[object]:
    return [invoice, 85048, "MUG", quantity, datetime(2010, 12, day, 8, 26), 2.5, customer, "EIRE"]  # noqa: DTZ001


def rows(*sales: list[object]) -> Rows:
    return [HEADER, *sales]  # type: ignore[list-item]


def test_the_overlap_of_two_sheets_counts_once(snapshot: Snapshot, tmp_path: Path) -> None:
    sheets = {
        "Year 2009-2010": rows(
            sale(536365, 1, 6, 17850.0), sale(536366, 2, 4, 13085.0), sale(536367, 2, 1, None)
        ),
        "Year 2010-2011": rows(sale(536366, 2, 4, 13085.0), sale("C536379", 9, -1, 13085.0)),
    }
    lake = tmp_path / "lake"
    land(lake / "landing", "online_retail_II.xlsx", workbook(sheets))
    config = configured(tmp_path / "config", "")
    configure(config, "invoice_in_several_files: all", "invoice_in_several_files: newest")
    customers = customers_of(snapshot(lake, "2010-12-10", config=config))
    found = {name: (row["frequency"], row["gross"], row["returned"]) for name, row in customers.items()}
    assert found == {
        "17850": (1, Decimal("15.00"), Decimal("0.00")),
        "13085": (1, Decimal("10.00"), Decimal("2.50")),
    }
    rejects = (lake / "published" / "as_of=2010-12-10" / "rejects.csv").read_text()
    assert "online_retail_II.xlsx,Year 2009-2010,3,older_delivery" in rejects
    assert "online_retail_II.xlsx,Year 2009-2010,4,missing_customer" in rejects
