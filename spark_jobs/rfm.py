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

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from include.errors import Refused
from include.lake.commit import read_view
from include.settings import Cancellations
from include.spark.job import job, text_array, with_dictionaries_for
from include.spark.schemas import COMPARED, ORDERS, PENCE, PURCHASE, RFM, UNIT

REASONS = ("on_or_after_as_of", "before_lookback")  # for which orders do not count
PLACES = 1 << 32  # numbers of countries: a date and a country as one whole number


def customer_rfm(
    orders: DataFrame,
    days: Mapping[str, date],
    lookback_days: int | None,
    cancellations: Cancellations,
    countries: Collection[str],
    large: bool,
    seen: Observation,
) -> DataFrame:
    """One row per customer with a purchase that counts as of one of the days; columns as in schemas.RFM
    but as_of. Those of a day have its key before their names ({"": as_of, "compared_": earlier}), and
    are null where the customer has no purchase as of it.

    Money is of the currency, with two decimals; `returned` is positive. The country is
    that of the last purchase, the first by name where that day has several. `lines` counts the
    landed lines behind the row; `countries` are those of the orders; `large` says that an order has
    no `units`, so that amounts are added up as the decimals they are. `seen` counts the lines of those
    `without_purchase` as of the first day. Definitions: the module's text above.

    All days are added up in one pass over the orders. A country is a number meanwhile, the later the
    name the higher: a text would make Spark sort all orders, where numbers are added up in a hash table.
    """
    names = sorted(countries)
    # 0 stands for an order without a country, and comes before all.
    number = F.coalesce(F.array_position(text_array(names), F.col("country")), F.lit(0))
    facts = orders.select(
        *["customer_id", "invoice_no", "order_date", "lines"],
        F.col("amount" if large else "units").alias("amount"),
        (F.col("line_type") == PURCHASE).alias("is_purchase"),
        (number - F.unix_date("order_date") * PLACES).alias("last"),
    )
    # All that is added up of a customer comes from one partition: orders are shuffled once.
    invoices = (
        facts.repartition("customer_id")
        .groupBy("customer_id", "is_purchase", "invoice_no")
        .agg(*[added.alias(name) for d in days.items() for name, added in of_invoice(*d, lookback_days)])
    )
    customers = invoices.groupBy("customer_id").agg(
        *[added.alias(name) for key in days for name, added in of_customer(key)]
    )
    bought = [F.col(f"{key}frequency") > 0 for key in days]
    without_purchase = F.coalesce(F.sum(F.when(~bought[0], F.col("lines"))), F.lit(0))
    customers = customers.observe(seen, without_purchase.alias("without_purchase"))
    return customers.where(F.greatest(*bought, F.lit(False))).select(
        "customer_id",
        *[
            F.when(F.col(f"{key}frequency") > 0, value).alias(f"{key}{name}")
            for key, day in days.items()
            for name, value in reported(key, day, cancellations, names, large).items()
        ],
    )


def of_invoice(key: str, day: date, lookback_days: int | None) -> list[tuple[str, Column]]:
    """What an invoice adds up to as of a day: its order rows before the day, and within the look-back."""
    counted = F.col("order_date") < F.lit(day)
    if lookback_days is not None:
        counted = counted & (F.col("order_date") >= F.lit(day - timedelta(days=lookback_days)))
    return [
        (f"{key}first", F.min(F.when(counted, F.col("order_date")))),
        (f"{key}last", F.min(F.when(counted, F.col("last")))),
        (f"{key}amount", F.sum(F.when(counted, F.col("amount")))),
        (f"{key}lines", F.sum(F.when(counted, F.col("lines")))),
    ]


def of_customer(key: str) -> list[tuple[str, Column]]:
    """What the invoices of a customer add up to."""
    is_purchase = F.col("is_purchase")
    first, last, amount = F.col(f"{key}first"), F.col(f"{key}last"), F.col(f"{key}amount")
    return [
        (f"{key}first", F.min(F.when(is_purchase, first))),
        (f"{key}last", F.min(F.when(is_purchase, last))),
        (f"{key}frequency", F.count(F.when(is_purchase, last))),
        (f"{key}bought", F.sum(F.when(is_purchase, amount))),
        (f"{key}cancelled", F.coalesce(F.sum(F.when(~is_purchase, amount)), F.lit(0))),
        (f"{key}lines", F.sum(f"{key}lines")),
    ]


def reported(
    key: str, day: date, cancellations: Cancellations, names: Sequence[str], large: bool
) -> dict[str, Column]:
    """The columns of schemas.RFM as of a day, from the sums of of_customer."""
    last, frequency = F.col(f"{key}last"), F.col(f"{key}frequency")
    bought, cancelled = F.col(f"{key}bought"), F.col(f"{key}cancelled")

    def money(added: Column) -> Column:
        return pence(added if large else added.cast("decimal(20,0)") * F.lit(UNIT))

    last_purchase = F.date_from_unix_date((-F.shiftright(last, 32)).cast("int"))
    monetary = money(bought + cancelled if cancellations == "net" else bought)
    return {
        "country": F.get(text_array(names), F.pmod(last, F.lit(PLACES)) - 1),
        "first_purchase_date": F.col(f"{key}first"),
        "last_purchase_date": last_purchase,
        "recency_days": F.date_diff(F.lit(day), last_purchase),
        "frequency": frequency,
        "monetary": monetary,
        "gross": money(bought),
        "returned": money(-cancelled),
        "avg_order_value": pence(monetary / frequency),
        "lines": F.col(f"{key}lines"),
    }


def pence(exact: Column) -> Column:
    """Rounded half up, away from zero on a tie, to two decimals."""
    return F.round(exact, 2).cast(PENCE)


def line_counts(orders: DataFrame, as_of: date, lookback_days: int | None) -> dict[str, int]:
    """The landed lines behind the orders: `all`, and those that do not count for one of REASONS."""
    late = F.col("order_date") >= F.lit(as_of)
    early = ~late & (F.col("order_date") < F.lit(as_of - timedelta(days=lookback_days or 0)))
    which = (F.lit(True), late, early if lookback_days else F.lit(False))
    sums = [
        F.coalesce(F.sum(F.when(rows, F.col("lines"))), F.lit(0)).alias(name)
        for name, rows in zip(("all", *REASONS), which, strict=True)
    ]
    (row,) = orders.agg(*sums).collect()
    return row.asDict()


def main(argv: Sequence[str] | None = None) -> None:
    with job("rfm", __doc__, argv) as run:
        settings = run.config.settings
        cleaned = read_view(run.lake.cleaned(settings.clean_rules))
        if cleaned is None:
            raise Refused(f"{run.lake.root} has no cleaned lines for these settings; run clean first")
        orders = run.read_batches(run.lake.orders(settings.clean_rules), cleaned["orders"], ORDERS)

        # Nearly every order is a group of its own: the small table before the large one finds nothing.
        run.spark.conf.set("spark.sql.codegen.aggregate.map.twolevel.enabled", "false")
        folder = str(run.attempt / "version" / "customers")
        seen = Observation()
        days = {"": run.as_of, COMPARED: run.as_of - timedelta(days=settings.compare_days)}
        with ThreadPoolExecutor(1) as beside:  # while the long query is put together and planned
            counts = beside.submit(line_counts, orders, run.as_of, settings.lookback_days)
            files = cleaned["files"].values()
            customers = customer_rfm(
                orders,
                days,
                settings.lookback_days,
                settings.cancellations,
                countries={name for file in files for name in file["countries"]},
                large=any(file["large"] for file in files),
                seen=seen,
            )
            customers = customers.withColumn("as_of", F.lit(run.as_of)).select(*RFM.names)
            with_dictionaries_for(customers.write, "country").parquet(folder)
            lines = counts.result()

        written = run.spark.read.schema(RFM).parquet(folder)
        frequencies = [F.count(f"{key}frequency").alias(key) for key in days]
        (row,) = written.agg(F.coalesce(F.sum("lines"), F.lit(0)).alias("lines"), *frequencies).collect()
        rows_in = lines["all"]
        left_out = {name: lines[name] for name in REASONS}
        left_out["customer_without_purchase"] = seen.get["without_purchase"]
        customers_of = {day.isoformat(): row[key] for key, day in days.items()}
        record = run.record(rows_in, row["lines"], left_out, customers=customers_of)
        run.lake.commit_version(
            run.attempt / "version",
            run.lake.rfm(run.as_of, run.config.variant),
            {
                "listing": cleaned["listing"],
                "attempt": run.number,
                "rules": run.config.rules,
                "view": cleaned,
                "stages": cleaned["stages"] | {"rfm": record},
            },
        )


if __name__ == "__main__":
    main()
