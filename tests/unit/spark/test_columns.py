"""Columns and small tables that several jobs need."""

from decimal import Decimal

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from include.spark.columns import line_amount, outcome, reject_reason, small_table


def test_an_amount_is_exact(spark: SparkSession) -> None:
    lines = small_table(spark, [(3, "0.001"), (3, "0.1")], "quantity int, price string")
    lines = lines.withColumn("unit_price", lines["price"].cast("decimal(18,4)"))
    assert amounts(lines, "purchase") == [Decimal("0.003"), Decimal("0.3")]


def test_a_weight_times_a_price_is_exact(spark: SparkSession) -> None:
    lines = small_table(spark, [("0.125", "1.2345")], "kilos string, price string").selectExpr(
        "cast(kilos as decimal(13,3)) as quantity", "cast(price as decimal(18,4)) as unit_price"
    )
    assert amounts(lines, "purchase") == [Decimal("0.1543125")]


def test_a_landed_amount_goes_before_quantity_and_price(spark: SparkSession) -> None:
    lines = small_table(spark, [(3, "0.1", "7.50")], "quantity int, unit_price string, total string")
    prices = {"unit_price": lines["unit_price"].cast("decimal(18,4)")}
    landed = lines.withColumns(prices | {"amount": lines["total"].cast("decimal(18,4)")})
    assert amounts(landed, "purchase") == [Decimal("7.5")]


@pytest.mark.parametrize(("quantity", "price"), [(-3, "0.1"), (3, "0.1"), (3, "-0.1")])
def test_a_cancellation_subtracts_whatever_its_sign(spark: SparkSession, quantity: int, price: str) -> None:
    lines = small_table(spark, [(quantity, price)], "quantity int, price string")
    lines = lines.withColumn("unit_price", lines["price"].cast("decimal(18,4)"))
    assert amounts(lines, "cancellation") == [Decimal("-0.3")]


def amounts(lines: DataFrame, line_type: str) -> list[Decimal]:
    """What lines of a type add up to."""
    if "amount" not in lines.columns:
        lines = lines.withColumn("amount", F.lit(None).cast("decimal(18,4)"))
    typed = lines.withColumn("line_type", F.lit(line_type))
    return [row["found"] for row in typed.select(line_amount().alias("found")).collect()]


def test_a_small_table_has_any_text_and_null(spark: SparkSession) -> None:
    rows = [('it\'s "so" \\ n\n,é', 1, ["a", None]), (None, None, None)]
    assert [
        tuple(row) for row in small_table(spark, rows, "a string, b long, c array<string>").collect()
    ] == rows


def test_a_line_rejected_with_its_whole_type_has_the_type_as_its_reason(spark: SparkSession) -> None:
    rows = [("zero_byte", "other"), (None, "missing_customer")]
    lines = small_table(spark, rows, "reason string, line_type string")
    found = lines.select(outcome().alias("outcome"), reject_reason()).collect()
    assert [tuple(row) for row in found] == [("rejected", "zero_byte"), ("kept", "missing_customer")]
