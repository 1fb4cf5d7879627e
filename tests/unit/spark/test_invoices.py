"""The owner of an invoice that several deliveries have."""

import pytest
from pyspark.sql import SparkSession

from include.lake.deliveries import Delivery
from include.spark.columns import small_table
from include.spark.invoices import without_older_deliveries
from include.spark.schemas import LINES

OLD = Delivery("old.csv", None, "shop")
NEW = Delivery("new.csv", None, "shop")
OTHER_SHOP = Delivery("other.csv", None, "other-shop")
SHEETS = [Delivery("book.xlsx", sheet, "shop") for sheet in ("first", "second")]

# Lines by delivery and invoice; why they are rejected before and after.
OWNERS = {
    "in one file": (OLD, "1", None, None),
    "in a newer file": (OLD, "2", None, "older_delivery"),
    "in the newest file": (NEW, "2", None, None),
    "rejected anyway": (OLD, "2", "price_not_positive", "price_not_positive"),
    "corrected later": (OLD, "3", None, "older_delivery"),
    "to nothing": (NEW, "3", "quantity_not_positive", "quantity_not_positive"),
    "the number of another shop": (OTHER_SHOP, "1", None, None),
    "taken back": (NEW, "C1", None, None),
    "in the first sheet": (SHEETS[0], "4", None, "older_delivery"),
    "in the second sheet": (SHEETS[1], "4", None, None),
}
DELIVERIES = [OLD, NEW, *SHEETS, OTHER_SHOP]


@pytest.fixture(scope="module")
def owned(spark: SparkSession) -> dict[str, tuple[str | None, str]]:
    """The reason and outcome of each line, by its description."""
    rows = [
        (delivery.file, delivery.part, invoice, reason, "rejected" if reason else "kept", description)
        for description, (delivery, invoice, reason, _) in OWNERS.items()
    ]
    given = small_table(
        spark,
        rows,
        "file string, part string, invoice_no string, reason string, outcome string, description string",
    )
    missing = {c.name: c.dataType for c in LINES if c.name not in given.columns}
    lines = given.selectExpr(
        "*", *[f"cast(null as {kind.simpleString()}) {n}" for n, kind in missing.items()]
    )
    found = without_older_deliveries(lines.select(*LINES.names), DELIVERIES).collect()
    assert len(found) == len(OWNERS)
    return {row["description"]: (row["reason"], row["outcome"]) for row in found}


@pytest.mark.parametrize("description", OWNERS)
def test_the_newest_delivery_owns_an_invoice_whole(
    owned: dict[str, tuple[str | None, str]], description: str
) -> None:
    reason = OWNERS[description][-1]
    assert owned[description] == (reason, "rejected" if reason else "kept")
