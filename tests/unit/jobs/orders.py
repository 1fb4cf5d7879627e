"""Orders for the tests, without the lines that they would be added up from."""

from pyspark.sql import DataFrame, SparkSession

from include.spark.columns import small_table
from spark_jobs.clean import scaled

Order = tuple[str, str, str, str, str | None]  # customer, invoice, date, amount, country


def order_table(spark: SparkSession, *rows: Order, file: str = "f") -> DataFrame:
    """Orders of one file; columns as in schemas.ORDERS."""
    given = [
        (file, c, i, d, "cancellation" if i.startswith("C") else "purchase", country, 1, amount)
        for c, i, d, amount, country in rows
    ]
    columns = "file string, customer_id string, invoice_no string, order_date date, line_type string, "
    table = small_table(spark, given, columns + "country string, lines long, amount string")
    amount = table["amount"].cast("decimal(38,4)")
    return table.withColumns({"amount": amount, "amount_e4": scaled(amount)})
