"""The owner of an invoice: the newest delivery that has it."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from include.lake.deliveries import Delivery
from include.lake.invoices import INVOICE
from include.spark.columns import outcome, small_table
from include.spark.schemas import LINES


def without_older_deliveries(cleaned: DataFrame, deliveries: Sequence[Delivery]) -> DataFrame:
    """The same lines, with every kept line of an invoice that a newer delivery has rejected as
    older_delivery. A delivery has an invoice even where all its lines of it are rejected: they may correct
    the quantity to 0."""
    lines = numbered(cleaned, deliveries)
    newest = lines.groupBy(*INVOICE).agg(F.max("delivery").alias("newest"))
    with_newest = lines.join(newest, INVOICE, "left")
    is_older = (F.col("outcome") == "kept") & (F.col("delivery") < F.col("newest"))
    reason = F.when(is_older, "older_delivery").otherwise(F.col("reason"))
    return with_newest.withColumn("reason", reason).withColumn("outcome", outcome()).select(*LINES.names)


def numbered(lines: DataFrame, deliveries: Sequence[Delivery]) -> DataFrame:
    """Lines with their format, and the number of their delivery: a newer one has a higher number."""
    table = small_table(
        lines.sparkSession,
        [(d.file, d.part, number, d.shop_format) for number, d in enumerate(deliveries)],
        "of_file string, of_part string, delivery int, shop_format string",
    )
    is_delivery = (lines["file"] == table["of_file"]) & lines["part"].eqNullSafe(table["of_part"])
    return lines.join(F.broadcast(table), is_delivery, "left")
