"""rfm: recency, frequency and monetary value of every customer, as of a date and as of the comparison
date (`compare_days` earlier).

As of D is exclusive: orders dated before D, and with a look-back of L days from D - L on.
    recency_days  D minus the date of the last purchase, at least 1; less is better
    frequency     distinct purchase invoices
    monetary      purchases plus the (negative) cancellations where `cancellations` is net;
                  the exact sum, rounded half up to two decimals once per customer
Cancellations never count for recency or frequency. A customer with cancellations only is left out; one
whose monetary is zero or less stays.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from include.lake.manifest import CleanedManifest
from include.lake.record import VersionRecord
from include.lake.state import StageRecord
from include.landing.line_types import PURCHASE
from include.settings import Cancellations, Segmentation
from include.spark.columns import text_array
from include.spark.dates import SnapshotDate, SnapshotDates, snapshot_dates
from include.spark.job import Run, job
from include.spark.lines import read_orders, with_dictionaries_for
from include.spark.schemas import AMOUNT_SCALE, MONEY, RFM

REASONS = ("on_or_after_as_of", "before_lookback")  # why orders do not count
COUNTRY_BITS = 32  # of `last_order`; the date is above them


@dataclass(frozen=True)
class RfmRules:
    """Which orders count, and what monetary is."""

    dates: SnapshotDates
    lookback_days: int | None
    cancellations: Cancellations


@dataclass(frozen=True)
class OrderSums:
    """How orders are added up: amounts as whole numbers where all of them fit, countries as numbers."""

    countries: list[str]  # in alphabetical order
    needs_decimal: bool  # an amount has no amount_e4; decimals take several times as long


class MeasuredCustomers(NamedTuple):
    """Customers, and a count of the lines of those that were left out."""

    customers: DataFrame
    left_out: Observation

    @property
    def lines_left_out(self) -> int:
        """To be asked once the customers have been written."""
        count: int = self.left_out.get["lines"]
        return count


# -- the definition -----------------------------------------------------------------------------


def customer_rfm(orders: DataFrame, rules: RfmRules, sums: OrderSums) -> MeasuredCustomers:
    """One row per customer with a purchase that counts as of one of the dates; columns as in schemas.RFM
    except as_of. Columns of a date are null where the customer has no purchase as of it.

    `orders` has the columns of schemas.ORDERS. Also counts the lines of customers without a purchase as of
    the first date. All dates are computed in one pass over the orders.
    """
    customers = customer_sums(invoice_sums(orders, rules, sums), rules.dates)
    has_bought = [at.column("frequency") > 0 for at in rules.dates]
    left_out = Observation()
    lines_left_out = F.coalesce(F.sum(F.when(~has_bought[0], F.col("lines"))), F.lit(0))
    customers = customers.observe(left_out, lines_left_out.alias("lines"))
    metrics = [column for at in rules.dates for column in customer_metrics(at, rules, sums)]
    with_purchase = customers.where(F.greatest(*has_bought, F.lit(False)))
    return MeasuredCustomers(with_purchase.select("customer_id", *metrics), left_out)


def customer_metrics(at: SnapshotDate, rules: RfmRules, sums: OrderSums) -> list[Column]:
    """The columns of schemas.RFM as of a date, from the sums of a customer. `returned` is positive. The
    country is that of the last purchase, the first by name where that day has several."""
    purchases, cancellations = at.column("purchases"), at.column("cancellations")
    last_purchase_date = date_of(at.column("last_order"))
    recency_days = F.date_diff(F.lit(at.day), last_purchase_date)
    frequency = at.column("frequency")
    monetary = money(purchases + cancellations if rules.cancellations == "net" else purchases, sums)
    values = {
        "country": country_of(at.column("last_order"), sums),
        "first_purchase_date": at.column("first_purchase_date"),
        "last_purchase_date": last_purchase_date,
        "recency_days": recency_days,
        "frequency": frequency,
        "monetary": monetary,
        "gross": money(purchases, sums),
        "returned": money(-cancellations, sums),
        "avg_order_value": round_money(monetary / frequency),
        "lines": at.column("lines"),
    }
    return [F.when(frequency > 0, value).alias(at.prefix + name) for name, value in values.items()]


def counts(at: SnapshotDate, lookback_days: int | None) -> Column:
    """Whether an order counts as of a date: it is before the day, and within the look-back."""
    counted = F.col("order_date") < F.lit(at.day)
    if lookback_days is not None:
        counted = counted & (F.col("order_date") >= F.lit(at.day - timedelta(days=lookback_days)))
    return counted


def round_money(exact: Column) -> Column:
    """Rounded half up, away from zero on a tie, to two decimals."""
    return F.round(exact, 2).cast(MONEY)


# -- adding up ----------------------------------------------------------------------------------


def invoice_sums(orders: DataFrame, rules: RfmRules, sums: OrderSums) -> DataFrame:
    """What each invoice adds up to as of each date."""
    facts = orders.select(
        *["customer_id", "invoice_no", "order_date", "lines"],
        F.col("amount" if sums.needs_decimal else "amount_e4").alias("amount"),
        (F.col("line_type") == PURCHASE).alias("is_purchase"),
        last_order(sums).alias("last_order"),
    )
    added = []
    for at in rules.dates:
        counted = counts(at, rules.lookback_days)
        added += [
            F.min(F.when(counted, F.col("order_date"))).alias(f"{at.prefix}first_purchase_date"),
            F.min(F.when(counted, F.col("last_order"))).alias(f"{at.prefix}last_order"),
            F.sum(F.when(counted, F.col("amount"))).alias(f"{at.prefix}amount"),
            F.sum(F.when(counted, F.col("lines"))).alias(f"{at.prefix}lines"),
        ]
    # One shuffle: both sums of a customer come from the same partition.
    return facts.repartition("customer_id").groupBy("customer_id", "is_purchase", "invoice_no").agg(*added)


def customer_sums(invoices: DataFrame, dates: Sequence[SnapshotDate]) -> DataFrame:
    """What the invoices of each customer add up to as of each date."""
    is_purchase = F.col("is_purchase")
    added = []
    for at in dates:
        first, last, amount = (at.column(name) for name in ("first_purchase_date", "last_order", "amount"))
        cancelled = F.coalesce(F.sum(F.when(~is_purchase, amount)), F.lit(0))
        added += [
            F.min(F.when(is_purchase, first)).alias(f"{at.prefix}first_purchase_date"),
            F.min(F.when(is_purchase, last)).alias(f"{at.prefix}last_order"),
            F.count(F.when(is_purchase, last)).alias(f"{at.prefix}frequency"),
            F.sum(F.when(is_purchase, amount)).alias(f"{at.prefix}purchases"),
            cancelled.alias(f"{at.prefix}cancellations"),
            F.sum(at.column("lines")).alias(f"{at.prefix}lines"),
        ]
    return invoices.groupBy("customer_id").agg(*added)


def money(amount: Column, sums: OrderSums) -> Column:
    """A sum of amounts as money with two decimals."""
    if sums.needs_decimal:
        return round_money(amount)
    return round_money(amount.cast("decimal(20,0)") * F.lit(Decimal(1) / AMOUNT_SCALE))


def last_order(sums: OrderSums) -> Column:
    """A number that is lowest for the latest order: the date counts down, and on one date the first
    country by name comes first. An order without a country comes before those with one.

    Countries are encoded as their alphabetical rank: grouping by text would make Spark sort all orders.
    """
    rank = F.coalesce(F.array_position(text_array(sums.countries), F.col("country")), F.lit(0))
    return rank - F.unix_date("order_date") * (1 << COUNTRY_BITS)


def date_of(last_order: Column) -> Column:
    return F.date_from_unix_date((-F.shiftright(last_order, COUNTRY_BITS)).cast("int"))


def country_of(last_order: Column, sums: OrderSums) -> Column:
    return F.get(text_array(sums.countries), F.pmod(last_order, F.lit(1 << COUNTRY_BITS)) - 1)


# -- carrying it out ----------------------------------------------------------------------------


def rfm_rules(as_of: date, settings: Segmentation) -> RfmRules:
    dates = snapshot_dates(as_of, settings.compare_days)
    return RfmRules(dates, settings.lookback_days, settings.cancellations)


def line_counts(orders: DataFrame, as_of: date, lookback_days: int | None) -> dict[str, int]:
    """The landed lines behind the orders: `all`, and those that do not count for each of REASONS."""
    late = F.col("order_date") >= F.lit(as_of)
    early = ~late & (F.col("order_date") < F.lit(as_of - timedelta(days=lookback_days or 0)))
    conditions = (F.lit(True), late, early if lookback_days else F.lit(False))
    lines = [
        F.coalesce(F.sum(F.when(condition, F.col("lines"))), F.lit(0)).alias(name)
        for name, condition in zip(("all", *REASONS), conditions, strict=True)
    ]
    (row,) = orders.agg(*lines).collect()
    return row.asDict()


def measure_customers(run: Run, cleaned: CleanedManifest, rules: RfmRules, folder: Path) -> StageRecord:
    """Write the customers of the snapshot; returns the record of `rfm`."""
    orders_stage = run.lake.orders(run.config.settings.clean_fingerprint)
    orders = read_orders(run.spark, orders_stage, cleaned.orders)
    # Nearly every order is a group of its own, so Spark's small table before the large one finds nothing.
    run.spark.conf.set("spark.sql.codegen.aggregate.map.twolevel.enabled", "false")
    sums = OrderSums(sorted(cleaned.countries), cleaned.needs_decimal)
    with ThreadPoolExecutor(1) as other_core:  # counts lines while the long query is built and planned
        counting = other_core.submit(line_counts, orders, run.as_of, rules.lookback_days)
        measured = customer_rfm(orders, rules, sums)
        table = measured.customers.withColumn("as_of", F.lit(run.as_of)).select(*RFM.names)
        with_dictionaries_for(table.write, "country").parquet(str(folder))
        lines = counting.result()
    rejects = {reason: lines[reason] for reason in REASONS}
    rejects["customer_without_purchase"] = measured.lines_left_out
    lines_counted, customers = written_counts(run.spark, folder, rules.dates)
    return run.execution.record(lines["all"], lines_counted, rejects, customers=customers)


def written_counts(
    spark: SparkSession, folder: Path, dates: Sequence[SnapshotDate]
) -> tuple[int, dict[str, int]]:
    """The lines behind the written customers, and how many customers each date has."""
    written = spark.read.schema(RFM).parquet(str(folder))
    customers = [F.count(at.column("frequency")).alias(at.day.isoformat()) for at in dates]
    (row,) = written.agg(F.coalesce(F.sum("lines"), F.lit(0)).alias("lines"), *customers).collect()
    return row["lines"], {at.day.isoformat(): row[at.day.isoformat()] for at in dates}


def main(argv: Sequence[str] | None = None) -> None:
    with job("rfm", __doc__, argv) as run:
        cleaned, version = run.cleaned(), run.folder / "version"
        rules = rfm_rules(run.as_of, run.config.settings)
        record = run.report(measure_customers(run, cleaned, rules, version / "customers"))
        made_by = VersionRecord(
            landing_version=cleaned.landing_version,
            attempt=run.number,
            fingerprint=run.config.fingerprint,
            cleaned=cleaned,
            stages=cleaned.stages | {"rfm": record},
        )
        run.commit_version(version, run.lake.rfm(run.as_of, run.config.variant), made_by)


if __name__ == "__main__":
    main()
