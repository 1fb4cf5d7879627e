"""Columns and small tables that several jobs need."""

from decimal import Decimal

from pyspark.sql import SparkSession

from include.spark.columns import line_amount, outcome, reject_reason, small_table


def test_an_amount_is_exact(spark: SparkSession) -> None:
    lines = small_table(spark, [(3, "0.001"), (3, "0.1")], "quantity int, price string")
    lines = lines.withColumn("unit_price", lines["price"].cast("decimal(18,4)"))
    amounts = [row["amount"] for row in lines.select(line_amount().alias("amount")).collect()]
    assert amounts == [Decimal("0.0030"), Decimal("0.3000")]


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
