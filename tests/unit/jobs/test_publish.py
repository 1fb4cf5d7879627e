"""The rules of publish: the files whose rejects are published, and the cleaned lines."""

import pytest
from pyspark.sql import Row, SparkSession

from include.lake.record import FileCounts, InputFile
from include.published.tables import CLEANED_DATA
from include.spark.columns import small_table
from spark_jobs.publish import REJECTS_LIMIT, cleaned_data, files_with_rejects

# -- rejects ------------------------------------------------------------------------------------


def with_rejects(**counts: int) -> dict[str, InputFile]:
    """Files with that many rejects, half of them in each stage, the later ones landed later."""
    return {
        name: InputFile(
            batch="b",
            size=1,
            modified=place,
            rows=rejects,
            kept=rejects - rejects // 2,
            rejects={"zero_byte": rejects // 2},
            clean=FileCounts(kept=0, rejects={"missing_customer": rejects - rejects // 2}),
        )
        for place, (name, rejects) in enumerate(counts.items())
    }


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"a": 3, "b": 0, "c": 5}, ["a", "c"]),
        ({"a": 0}, []),
        ({"a": 2, "b": REJECTS_LIMIT - 1, "c": 1}, ["b", "c"]),
        ({"a": 1, "b": REJECTS_LIMIT, "c": 1}, ["c"]),
        ({"a": 1, "b": REJECTS_LIMIT + 1}, ["b"]),
    ],
    ids=str,
)
def test_rejects_of_the_latest_files_are_published_as_many_as_fit(
    counts: dict[str, int], shown: list[str]
) -> None:
    assert sorted(files_with_rejects(with_rejects(**counts))) == shown


# -- cleaned lines ------------------------------------------------------------------------------

LINE_COLUMNS = (
    "file string, line long, invoice_no string, stock_code string, description string, "
    "quantity decimal(13,3), "
    "invoice_date timestamp_ntz, unit_price decimal(18,4), amount decimal(18,4), refunded decimal(18,4), "
    "customer_id string, country string, line_type string"
)
MORNING = "2010-12-01T08:26:00"
MUG = ("536365", "85123A", "MUG", "6", MORNING, "2.5500", None, None, "17850", "EIRE", "purchase")
NAIL = ("C536366", "1", None, "-3", MORNING, "0.0010", None, None, "17850", None, "cancellation")
JAM = ("536300", "2", "JAM", "1", "2010-12-02T00:00:00", "1200.0000", None, None, "17850", "EIRE", "purchase")


def cleaned_rows(spark: SparkSession, *lines: tuple[object, ...]) -> list[Row]:
    """The published rows of lines that are each in a file of their own."""
    rows = [(f"{number}.csv", 2, *line) for number, line in enumerate(lines)]
    return cleaned_data(small_table(spark, rows, LINE_COLUMNS)).collect()


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> list[Row]:
    return cleaned_rows(spark, MUG, NAIL, JAM)


def test_cleaned_lines_have_the_published_columns(rows: list[Row]) -> None:
    assert list(rows[0].asDict()) == CLEANED_DATA.names


def test_cleaned_lines_are_in_the_order_of_time_and_invoice_whatever_their_files(
    spark: SparkSession, rows: list[Row]
) -> None:
    assert [row["invoice_no"] for row in rows] == ["536365", "C536366", "536300"]
    assert cleaned_rows(spark, JAM, NAIL, MUG) == rows


def test_money_has_the_decimals_it_needs_and_at_least_two(rows: list[Row]) -> None:
    """6 x 2.55 = 15.30, -3 x 0.001 = -0.003"""
    found = [(row["unit_price"], row["amount"]) for row in rows]
    assert found == [("2.55", "15.30"), ("0.001", "-0.003"), ("1200.00", "1200.00")]


def test_a_quantity_has_the_decimals_it_needs_or_none(spark: SparkSession, rows: list[Row]) -> None:
    assert [row["quantity"] for row in rows] == ["6", "-3", "1"]
    cheese = ("536301", "3", "CHEESE", "0.350", "2010-12-02T00:00:00", "22.9000", None, None, *JAM[8:])
    (row,) = cleaned_rows(spark, cheese)
    assert (row["quantity"], row["amount"]) == ("0.35", "8.015")


def test_a_refund_lessens_the_amount_of_its_line(spark: SparkSession) -> None:
    soap = ("#5002", "S-1", "SOAP", "1", "2026-03-02T09:00:00", "6.0000", None, "2.5000", *JAM[8:])
    (row,) = cleaned_rows(spark, soap)
    assert row["amount"] == "3.50"
