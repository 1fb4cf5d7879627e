"""Columns and small tables that several jobs need."""

import json
from collections.abc import Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from include.landing.line_types import CANCELLATION
from include.spark.schemas import AMOUNT


def small_table(spark: SparkSession, rows: Sequence[tuple[Any, ...]], columns: str) -> DataFrame:
    """A few rows of the driver as a table, with `columns` such as "file string, start long".

    Made from one JSON literal, because createDataFrame starts a Python worker on the executors.
    """
    names = [column.split()[0] for column in columns.split(", ")]
    values = [dict(zip(names, row, strict=True)) for row in rows]
    fields = ", ".join(column.replace(" ", ": ", 1) for column in columns.split(", "))
    array = literal(values, f"array<struct<{fields}>>")
    return spark.range(1, numPartitions=1).select(F.inline(array))


def literal(values: Any, data_type: str) -> Column:
    """Values as one literal of a Spark type. A literal for each value takes longer to build than to use."""
    return F.from_json(F.lit(json.dumps(values)), data_type)


def text_array(texts: Sequence[str | None]) -> Column:
    return literal(texts, "array<string>")


def line_amount() -> Column:
    """What a line adds to the amount of its order: the landed amount, or quantity x unit_price, exact. A
    cancellation subtracts, whatever its sign."""
    amount = F.coalesce(F.col("amount").cast(AMOUNT), (F.col("quantity") * F.col("unit_price")).cast(AMOUNT))
    return F.when(F.col("line_type") == CANCELLATION, -F.abs(amount)).otherwise(amount)


def refund() -> Column:
    """What was given back of a line later, as a positive amount."""
    return F.coalesce(F.abs("refunded").cast(AMOUNT), F.lit(0).cast(AMOUNT))


def reject_reason() -> Column:
    """The reject reason. For a type that is rejected as a whole, the type itself."""
    return F.coalesce("reason", "line_type").alias("reason")


def outcome() -> Column:
    """`kept` for a line without a reason, else `rejected`."""
    return F.when(F.col("reason").isNull(), "kept").otherwise("rejected")
