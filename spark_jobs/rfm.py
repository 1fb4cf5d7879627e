"""rfm: recency, frequency and monetary value of every customer, as of a date and as of the
comparison date (compare_days earlier).

As of D is exclusive: orders dated before D, and with a look-back of L days from D - L on.
    recency_days  D minus the date of the last purchase, at least 1; less is better
    frequency     distinct purchase invoices
    monetary      purchases plus the (negative) cancellations where `cancellations` is net;
                  the exact sum, rounded half up to pence once per customer
Cancellations never count for recency or frequency. A customer with cancellations only is left
out; one whose monetary is zero or less stays.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from include.config import Cancellations
from include.errors import Refused
from include.job import job, small_table
from include.lake import read_view
from include.schemas import ORDERS, PENCE, RFM

PLACES = 1 << 32  # numbers of countries: a date and a country as one whole number


def orders_before(orders: DataFrame, days: Sequence[date], lookback_days: int | None) -> DataFrame:
    """The orders that count as of each of the days, with the day as `as_of`: those before it, and
    within the look-back where there is one. Rows of a customer come together in one partition."""
    as_of = F.explode(F.array(*[F.lit(day) for day in days])).alias("as_of")
    counted = F.col("order_date") < F.col("as_of")
    if lookback_days is not None:
        counted = counted & (F.col("order_date") >= F.date_sub("as_of", lookback_days))
    # All that is added up of a customer comes from one partition: orders are shuffled once.
    return orders.repartition("customer_id").select(as_of, "*").where(counted)


def country_names(orders: DataFrame) -> list[str]:
    """The countries of the orders, by name: a few for any shop, however many its customers."""
    return sorted(
        row["country"] for row in orders.select("country").distinct().collect() if row["country"] is not None
    )


def customer_rfm(orders: DataFrame, cancellations: Cancellations, countries: Sequence[str]) -> DataFrame:
    """One row per as_of and customer with at least one purchase; columns as in schemas.RFM.

    Money is in the currency's units with two decimals, `returned` is positive. The country is
    that of the last purchase, the first by name where that day has several. `lines` counts the
    landed lines behind the row; `countries` is as from country_names. Definitions: the module's text
    above.

    A country is a number while it is added up, the later the name the higher: a text would make
    Spark sort all orders, where numbers are added up in a hash table.
    """
    # No name is number 0, which comes first.
    numbered = small_table(orders.sparkSession, list(enumerate(countries, 1)), "number long, country string")
    number = F.coalesce("number", F.lit(0).cast("long"))
    orders = orders.join(F.broadcast(numbered), "country", "left")
    is_purchase = F.col("line_type") == "purchase"
    purchase_date = F.when(is_purchase, F.col("order_date"))
    zero = F.lit(0).cast(ORDERS["amount"].dataType)
    purchases = F.when(is_purchase, F.col("amount")).otherwise(zero)
    cancelled = F.when(~is_purchase, F.col("amount")).otherwise(zero)

    invoices = orders.groupBy("as_of", "customer_id", "line_type", "invoice_no").agg(
        F.min(purchase_date).alias("first_purchase_date"),
        F.max(purchase_date).alias("last_purchase_date"),
        F.min(F.when(is_purchase, number - F.unix_date("order_date") * PLACES)).alias("last"),
        F.sum(purchases).alias("gross"),
        F.sum(cancelled).alias("cancelled"),
        F.sum("lines").alias("lines"),
    )
    customers = invoices.groupBy("as_of", "customer_id").agg(
        F.min("first_purchase_date").alias("first_purchase_date"),
        F.max("last_purchase_date").alias("last_purchase_date"),
        F.pmod(F.min("last"), F.lit(PLACES)).alias("number"),
        F.count_if(is_purchase).alias("frequency"),
        F.sum("gross").alias("gross"),
        F.sum("cancelled").alias("cancelled"),
        F.sum("lines").alias("lines"),
    )
    spent = F.col("gross") + F.col("cancelled") if cancellations == "net" else F.col("gross")
    monetary = pence(spent)
    buyers = customers.where(F.col("frequency") > 0)
    return buyers.join(F.broadcast(numbered), "number", "left").select(
        "as_of",
        "customer_id",
        "country",
        "first_purchase_date",
        "last_purchase_date",
        F.date_diff("as_of", "last_purchase_date").alias("recency_days"),
        "frequency",
        monetary.alias("monetary"),
        pence(F.col("gross")).alias("gross"),
        pence(-F.col("cancelled")).alias("returned"),
        pence(monetary / F.col("frequency")).alias("avg_order_value"),
        "lines",
    )


def pence(exact: Column) -> Column:
    """Rounded half up, away from zero on a tie, to two decimals."""
    return F.round(exact, 2).cast(PENCE)


def lines_left_out(orders: DataFrame, as_of: date, lookback_days: int | None) -> dict[str, int]:
    """Landed lines behind the orders: all of them, and those outside of the days that count."""
    late = F.col("order_date") >= F.lit(as_of)
    early = ~late & (F.col("order_date") < F.lit(as_of - timedelta(days=lookback_days or 0)))
    row = orders.agg(
        *[
            F.coalesce(F.sum(F.when(condition, F.col("lines"))), F.lit(0)).alias(name)
            for name, condition in {
                "all": F.lit(True),
                "on_or_after_as_of": late,
                "before_lookback": early if lookback_days else F.lit(False),
            }.items()
        ]
    )
    return row.collect()[0].asDict()


def main(argv: Sequence[str] | None = None) -> None:
    with job("rfm", __doc__, argv) as run:
        settings = run.config.settings
        cleaned = read_view(run.lake.cleaned(settings.clean_rules))
        if cleaned is None:
            raise Refused(f"{run.lake.root} has no cleaned lines for these settings; run clean first")
        orders = run.read_batches(run.lake.orders(settings.clean_rules), cleaned["orders"], ORDERS)

        compared = run.as_of - timedelta(days=settings.compare_days)
        counted = orders_before(orders, [run.as_of, compared], settings.lookback_days)
        folder = str(run.attempt / "version" / "customers")
        customer_rfm(counted, settings.cancellations, country_names(orders)).select(*RFM.names).write.parquet(
            folder
        )

        counts = lines_left_out(orders, run.as_of, settings.lookback_days)
        rows_in = counts.pop("all")
        written = run.spark.read.schema(RFM).parquet(folder).groupBy("as_of")
        totals = written.agg(F.count("*").alias("customers"), F.sum("lines").alias("lines")).collect()
        of_date = {row["as_of"]: row for row in totals}
        lines = of_date[run.as_of]["lines"] if run.as_of in of_date else 0
        counts["customer_without_purchase"] = rows_in - lines - sum(counts.values())
        customers_of = {day.isoformat(): row["customers"] for day, row in of_date.items()}
        record = run.record(rows_in, lines, counts, customers=customers_of)
        run.lake.commit_version(
            run.attempt / "version",
            run.lake.rfm(run.as_of, run.config.variant),
            {
                "listing": cleaned["listing"],
                "attempt": run.number,
                "view": cleaned,
                "stages": cleaned["stages"] | {"rfm": record},
            },
        )


if __name__ == "__main__":
    main()
