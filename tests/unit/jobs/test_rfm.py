"""The rules of rfm: which orders count as of a date, and what a customer's values are."""

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from include.settings import Cancellations
from include.spark.dates import SnapshotDate, SnapshotDates
from include.spark.schemas import COMPARISON
from spark_jobs.rfm import MeasuredCustomers, OrderSums, RfmRules, customer_rfm, line_counts
from tests.unit.jobs.orders import order_table

D = date(2011, 1, 1)


def measured(
    orders: DataFrame,
    cancellations: Cancellations = "net",
    lookback: int | None = None,
    compared: date = date(2010, 12, 2),
) -> MeasuredCustomers:
    countries = {row["country"] for row in orders.where("country is not null").select("country").collect()}
    needs_decimal = orders.where("amount_e4 is null").count() > 0
    dates = SnapshotDates(SnapshotDate("", D), SnapshotDate(COMPARISON, compared))
    rules = RfmRules(dates, lookback, cancellations)
    return customer_rfm(orders, rules, OrderSums(sorted(countries), needs_decimal))


def only(orders: DataFrame, cancellations: Cancellations = "net", lookback: int | None = None) -> Row:
    """The one customer of the orders."""
    (row,) = measured(orders, cancellations, lookback).customers.collect()
    return row


# -- what counts --------------------------------------------------------------------------------


def test_a_cancelled_order_counts_for_neither_recency_nor_frequency(spark: SparkSession) -> None:
    orders = order_table(
        spark, ("1", "10", "2010-12-01", "100", "UK"), ("1", "C11", "2010-12-30", "-30", "UK")
    )
    row = only(orders)
    assert (row["recency_days"], row["frequency"], row["monetary"]) == (31, 1, Decimal("70.00"))
    assert (row["gross"], row["returned"]) == (Decimal("100.00"), Decimal("30.00"))


def test_cancellations_are_not_subtracted_where_they_are_dropped(spark: SparkSession) -> None:
    orders = order_table(
        spark, ("1", "10", "2010-12-01", "100", "UK"), ("1", "C11", "2010-12-30", "-30", "UK")
    )
    row = only(orders, cancellations="drop")
    assert (row["monetary"], row["returned"]) == (Decimal("100.00"), Decimal("30.00"))


def test_a_customer_with_cancellations_only_is_left_out(spark: SparkSession) -> None:
    orders = order_table(spark, ("1", "C11", "2010-12-30", "-30", "UK"))
    assert measured(orders).customers.count() == 0


def test_the_lines_of_customers_who_are_left_out_are_counted(spark: SparkSession) -> None:
    """One line of a customer with cancellations only, and one of a customer who counts on the earlier date
    only. The order on the as-of date is no line of that snapshot at all."""
    found = measured(
        order_table(
            spark,
            ("cancelled", "C11", "2010-12-30", "-30", "UK"),
            ("gone", "12", "2010-11-15", "1", "UK"),
            ("gone", "C13", "2010-12-15", "-1", "UK"),
            ("late", "14", "2011-01-01", "1", "UK"),
            ("counts", "15", "2010-12-30", "1", "UK"),
        ),
        lookback=31,
    )
    assert {row["customer_id"] for row in found.customers.collect()} == {"gone", "counts"}
    assert found.lines_left_out == 2


def test_a_customer_whose_purchases_were_all_cancelled_stays(spark: SparkSession) -> None:
    orders = order_table(spark, ("1", "10", "2010-12-01", "9", "UK"), ("1", "C11", "2010-12-01", "-10", "UK"))
    assert only(orders)["monetary"] == Decimal("-1.00")


def test_an_invoice_over_two_days_or_countries_counts_once(spark: SparkSession) -> None:
    orders = order_table(spark, ("1", "10", "2010-12-01", "1", "UK"), ("1", "10", "2010-12-02", "1", "EIRE"))
    row = only(orders)
    assert (row["frequency"], row["country"], row["recency_days"]) == (1, "EIRE", 30)


# -- countries ----------------------------------------------------------------------------------


def test_the_first_country_by_name_counts_where_the_last_day_has_several(spark: SparkSession) -> None:
    orders = order_table(spark, ("1", "10", "2010-12-02", "1", "UK"), ("1", "11", "2010-12-02", "1", "EIRE"))
    assert only(orders)["country"] == "EIRE"


def test_a_customer_whose_last_order_has_no_country_has_none(spark: SparkSession) -> None:
    orders = order_table(spark, ("1", "10", "2010-12-01", "1", "UK"), ("1", "11", "2010-12-02", "1", None))
    assert only(orders)["country"] is None


# -- money --------------------------------------------------------------------------------------


def test_money_is_rounded_half_up_once_per_customer(spark: SparkSession) -> None:
    """0.0025 + 0.0025 = 0.005, which is 0.01; 0.01 / 2 orders = 0.005, which is 0.01 again."""
    orders = order_table(
        spark, ("1", "10", "2010-12-02", "0.0025", "UK"), ("1", "11", "2010-12-02", "0.0025", "UK")
    )
    row = only(orders)
    assert (row["monetary"], row["avg_order_value"]) == (Decimal("0.01"), Decimal("0.01"))


def test_an_amount_of_any_size_is_exact(spark: SparkSession) -> None:
    """A billion minus 0.0001 is the largest amount that is scaled to a whole number."""
    beyond, largest_scaled = "1000000000", "-999999999.9999"
    orders = order_table(
        spark, ("1", "10", "2010-12-02", beyond, "UK"), ("1", "C1", "2010-12-02", largest_scaled, None)
    )
    assert {row["amount_e4"] for row in orders.collect()} == {None, -9_999_999_999_999}
    row = only(orders)
    assert (row["gross"], row["returned"]) == (Decimal("1000000000.00"), Decimal("1000000000.00"))
    assert row["monetary"] == Decimal("0.00")


# -- dates --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def four_days(spark: SparkSession) -> DataFrame:
    """An order on each of the last three days before the as-of date, and one on it."""
    days = ["2010-12-29", "2010-12-30", "2010-12-31", "2011-01-01"]
    return order_table(spark, *[("1", str(n), day, "1", "UK") for n, day in enumerate(days)])


def test_the_as_of_date_is_exclusive(four_days: DataFrame) -> None:
    assert only(four_days)["frequency"] == 3


def test_the_look_back_includes_its_first_day(four_days: DataFrame) -> None:
    assert only(four_days, lookback=2)["frequency"] == 2


def test_lines_that_do_not_count_are_counted_by_reason(four_days: DataFrame) -> None:
    assert line_counts(four_days, D, 2) == {"all": 4, "on_or_after_as_of": 1, "before_lookback": 1}
    assert line_counts(four_days, D, None) == {"all": 4, "on_or_after_as_of": 1, "before_lookback": 0}


NOTHING = [None, None, None]


@pytest.fixture(scope="module")
def both_dates(spark: SparkSession) -> dict[str, Row]:
    """Customers by their id, as of 1 January 2011 and as of 2 December 2010, looking back 31 days."""
    orders = order_table(
        spark,
        ("both", "10", "2010-12-01", "5", "UK"),
        ("both", "11", "2010-12-31", "7", "EIRE"),
        ("now", "12", "2010-12-31", "1", "UK"),
        ("gone", "13", "2010-11-02", "2", "UK"),
    )
    rows = measured(orders, lookback=31, compared=date(2010, 12, 2)).customers.collect()
    return {row["customer_id"]: row for row in rows}


@pytest.mark.parametrize(
    ("customer", "current", "compared"),
    [
        ("both", [1, 2, Decimal(12)], [1, 1, Decimal(5)]),
        ("now", [1, 1, Decimal(1)], NOTHING),
        ("gone", NOTHING, [30, 1, Decimal(2)]),
    ],
)
def test_a_customer_is_measured_on_each_date_alone(
    both_dates: dict[str, Row], customer: str, current: list[object], compared: list[object]
) -> None:
    row = both_dates[customer]
    metrics = ["recency_days", "frequency", "monetary"]
    assert [row[name] for name in metrics] == current
    assert [row[COMPARISON + name] for name in metrics] == compared


def test_customers_who_count_on_neither_date_are_left_out(both_dates: dict[str, Row]) -> None:
    assert both_dates.keys() == {"both", "now", "gone"}


def test_the_country_is_that_of_the_as_of_date(both_dates: dict[str, Row]) -> None:
    assert (both_dates["both"]["country"], both_dates["gone"]["country"]) == ("EIRE", None)
