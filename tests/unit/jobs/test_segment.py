"""The rules of segment: cut points, scores, segments and how customers moved between them."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from include.published.files import CSV_LINE_COLUMN
from include.published.tables import CUSTOMER_SEGMENTS
from include.settings import SegmentMap
from include.spark.columns import small_table
from include.spark.dates import snapshot_dates
from include.spark.schemas import COMPARISON, RFM
from spark_jobs.segment import (
    RANK_IN_ONE_TASK_BELOW,
    SegmentPair,
    Totals,
    cut_points,
    segment_movement,
    segment_summary,
    segmented,
    values_at_ranks,
    write_customers,
)

DATES = snapshot_dates(date(2011, 12, 10), 30)
NOW = DATES.current


def segment_map(**codes: str) -> SegmentMap:
    """Segments by name, each with one pattern."""
    segments = [{"name": name, "description": "", "codes": [code]} for name, code in codes.items()]
    return SegmentMap.model_validate({"segments": segments})


# -- ranks and cut points -----------------------------------------------------------------------


def customers(spark: SparkSession, monetary: list[str]) -> DataFrame:
    rows = [(str(n), n % 7 + 1, n % 3 + 1, value) for n, value in enumerate(monetary)]
    columns = "customer_id string, recency_days int, frequency long, monetary string"
    table = small_table(spark, rows, columns)
    return table.withColumn("monetary", table["monetary"].cast("decimal(18,2)"))


@pytest.mark.parametrize("n", [1, 2, 4, 5, 6, 99, 700])
def test_a_cut_is_the_smallest_value_with_enough_customers_at_or_below(spark: SparkSession, n: int) -> None:
    values = [Decimal(i * i * 37 % 1009) - 300 for i in range(n)]
    cuts = cut_points(customers(spark, [str(v) for v in values]), {NOW: n})[NOW]["monetary"]
    expected = [min(v for v in values if 5 * sum(w <= v for w in values) >= j * n) for j in range(1, 5)]
    assert cuts == expected


def test_without_customers_there_are_no_cut_points(spark: SparkSession) -> None:
    assert cut_points(customers(spark, ["1"]).where("false"), {}) == {}


RANKS = (1, 2, 125, 249, 250)


@pytest.mark.parametrize("customers", [RANK_IN_ONE_TASK_BELOW - 1, RANK_IN_ONE_TASK_BELOW])
def test_values_at_ranks_are_those_of_the_sorted_list(spark: SparkSession, customers: int) -> None:
    values = [(f"g{i % 2}", str(i * 7919 % 104)) for i in range(500)]
    table = small_table(spark, values, "group string, value string")
    table = table.withColumn("value", table["value"].cast("decimal(18,2)"))
    found = values_at_ranks(table, {(g, r) for g in ("g0", "g1") for r in RANKS}, customers)
    for group in ("g0", "g1"):
        ordered = sorted(Decimal(v) for g, v in values if g == group)
        assert {r: v for (g, r), v in found.items() if g == group} == {r: ordered[r - 1] for r in RANKS}


# -- scores -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scored(spark: SparkSession) -> DataFrame:
    """Four customers of the as-of date, who did not count on the comparison date."""
    rows = [("a", 1, 1, "9"), ("b", 2, 2, "10"), ("c", 3, 1, "11"), ("d", 9, 1, "0")]
    given = small_table(spark, rows, "customer_id string, recency_days int, frequency long, monetary string")
    given = given.withColumn("monetary", given["monetary"].cast("decimal(18,2)"))
    others = {field.name: field.dataType for field in RFM if field.name not in given.columns}
    table = given.withColumns({name: F.lit(None).cast(kind) for name, kind in others.items()})
    cuts = {
        "recency_days": [Decimal(n) for n in (2, 4, 6, 8)],
        "frequency": [Decimal(1)] * 4,
        "monetary": [Decimal(10)] * 4,
    }
    return segmented(table, DATES, {NOW: cuts}, segment_map(all="...")).orderBy("customer_id")


def test_a_score_counts_the_cuts_below_a_value_and_less_recency_is_better(scored: DataFrame) -> None:
    assert [row["rfm_score"] for row in scored.collect()] == ["511", "551", "415", "111"]


def test_the_three_scores_are_the_digits_of_the_code(scored: DataFrame) -> None:
    for row in scored.collect():
        assert row["rfm_score"] == f"{row['r_score']}{row['f_score']}{row['m_score']}"


def test_a_customer_who_did_not_count_then_has_no_previous_segment(scored: DataFrame) -> None:
    found = [(row["segment"], row["previous_segment"]) for row in scored.collect()]
    assert found == [("all", None)] * 4
    assert {row[f"{COMPARISON}r_score"] for row in scored.collect()} == {None}


# -- summaries ----------------------------------------------------------------------------------

MAP = segment_map(Best="5..", Other="[1-4]..")
PAIRS = {
    SegmentPair("Best", "Best"): Totals(1, 4, Decimal("70.00"), 3),
    SegmentPair("Other", "Best"): Totals(2, 2, Decimal("30.00"), 8),
    SegmentPair(None, "Other"): Totals(1, 1, Decimal("0.00"), 9),
    SegmentPair("Best", None): Totals(1, 0, Decimal("0.00"), 0),
}


def test_movement_is_in_the_order_of_the_map_with_new_and_lost_customers_last() -> None:
    assert [tuple(row.values()) for row in segment_movement(PAIRS, MAP)] == [
        ("Best", "Best", 1),
        ("Best", "No longer counted", 1),
        ("Other", "Best", 2),
        ("Not yet a customer", "Other", 1),
    ]


def test_a_summary_has_shares_of_all_customers_and_averages_of_its_own() -> None:
    """Best: 3 of 4 customers, 11 / 3 = 3.67 days, 6 / 3 = 2 orders, 100 / 3 = 33.33."""
    totals = {"Best": Totals(3, 6, Decimal("100.00"), 11), "Other": Totals(1, 1, Decimal("0.00"), 9)}
    best = segment_summary(totals, {"Best": Decimal("30.00")}, MAP)[0]
    assert best == {
        "segment": "Best",
        "customers": 3,
        "customer_share": Decimal("0.7500"),
        "orders": 6,
        "revenue": Decimal("100.00"),
        "revenue_share": Decimal("1.0000"),
        "avg_recency_days": Decimal("3.67"),
        "avg_frequency": Decimal("2.00"),
        "avg_monetary": Decimal("33.33"),
        "median_monetary": Decimal("30.00"),
    }


def test_a_segment_without_customers_has_no_averages() -> None:
    other = segment_summary({"Best": Totals(1, 1, Decimal("5.00"), 1)}, {}, MAP)[1]
    assert (other["segment"], other["customers"], other["customer_share"]) == ("Other", 0, Decimal("0.0000"))
    averages = ("avg_recency_days", "avg_frequency", "avg_monetary", "median_monetary")
    assert [other[name] for name in averages] == [None] * 4


# -- the published table ------------------------------------------------------------------------


def test_customers_are_written_with_the_published_columns_and_types(
    scored: DataFrame, tmp_path: Path
) -> None:
    write_customers(scored, NOW, tmp_path / "customers")
    schema = pq.read_schema(next((tmp_path / "customers").glob("*.parquet")))
    assert schema.names == [*CUSTOMER_SEGMENTS.names, CSV_LINE_COLUMN]
    published = CUSTOMER_SEGMENTS.arrow_schema
    assert {name: schema.field(name).type for name in published.names} == {
        name: published.field(name).type for name in published.names
    }
