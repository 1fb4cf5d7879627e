"""Orders for the tests, without the lines that they would be added up from."""

from pyspark.sql import DataFrame, SparkSession

from include.spark.columns import small_table
from include.spark.schemas import AMOUNT
from spark_jobs.clean import scaled

Order = tuple[str, str, str, str, str | None]  # customer, invoice, date, amount, country


def order_table(spark: SparkSession, *rows: Order, file: str = "f", part: str | None = None) -> DataFrame:
    """Orders of one file; columns as in schemas.ORDERS."""
    given = [
        (file, part, c, i, d, "cancellation" if i.startswith("C") else "purchase", country, 1, amount)
        for c, i, d, amount, country in rows
    ]
    columns = (
        "file string, part string, customer_id string, invoice_no string, order_date date, line_type string, "
    )
    table = small_table(spark, given, columns + "country string, lines long, amount string")
    amount = table["amount"].cast(AMOUNT)
    return table.withColumns({"amount": amount, "amount_e4": scaled(amount)})
