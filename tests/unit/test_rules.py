"""The rules of ingest, clean, rfm and segment, each on a table of a few lines written here."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from include.lake.commit import Lake, View, batches
from include.landing.records import LandedFile, file_format
from include.settings import Cancellations, RunConfig, SegmentMap
from include.spark.job import Run, line_amount, small_table
from include.spark.schemas import COMPARED, LANDED_COLUMNS, LINES, ORDERS
from spark_jobs import ingest
from spark_jobs.clean import (
    MOST_ORDER_BATCHES,
    cleaned_lines,
    counts_by_file,
    orders,
    orders_together,
    units,
    without_repeats,
    write_cleaned,
)
from spark_jobs.ingest import SMALLEST_BLOCK, check_all_are_written, landed_lines, typed_lines, usual_lines
from spark_jobs.publish import REJECTS_LIMIT, files_with_rejects
from spark_jobs.rfm import customer_rfm, line_counts
from spark_jobs.segment import FEW, cut_points, segmented, values_at_ranks
from tests import tables
from tests.tables import HEADER, csv_bytes, land, line

Read = Callable[..., DataFrame]


@pytest.fixture
def ingested(spark: SparkSession, config: RunConfig, tmp_path: Path) -> Read:
    """Files (as bytes or lines), read and typed by the functions of ingest."""

    def read(*files: bytes | list[str]) -> DataFrame:
        for number, content in enumerate(files):
            land(tmp_path, f"{number}.csv", content if isinstance(content, bytes) else csv_bytes(*content))
        return tables.ingested(spark, config, tmp_path)[0]

    return read


def column(table: DataFrame, name: str) -> list[Any]:
    return [row[name] for row in table.orderBy("file", "line").collect()]


# -- ingest -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, None),
        ({"quantity": "6.0"}, None),
        ({"quantity": "1e2"}, None),
        ({"quantity": "6.5"}, "quantity_unreadable"),
        ({"quantity": "six"}, "quantity_unreadable"),
        ({"quantity": ""}, "quantity_unreadable"),
        ({"quantity": "2147483648"}, "quantity_unreadable"),
        ({"quantity": "9" * 30}, "quantity_unreadable"),
        ({"price": "0.001"}, None),
        ({"price": "0.00001"}, "unit_price_unreadable"),
        ({"price": "2.5500000"}, None),
        ({"price": "GBP 2"}, "unit_price_unreadable"),
        ({"price": "nan"}, "unit_price_unreadable"),
        ({"quantity": "2400", "price": "5012345678900"}, "amount_out_of_range"),
        ({"quantity": "-2147483648", "price": "99999999999999.9999"}, "amount_out_of_range"),
        ({"quantity": "1", "price": "999999999999.9999"}, None),
        ({"quantity": "1", "price": "1000000000000"}, "amount_out_of_range"),
        ({"date": "12/1/2010 8:26"}, None),
        ({"date": "2010-12-01T08:26:00"}, None),
        ({"date": "2010-02-30 08:26:00"}, "invoice_date_unreadable"),
        ({"date": ""}, "invoice_date_unreadable"),
        ({"country": "UK,more"}, "wrong_number_of_fields"),
        ({"text": '"half a quote'}, "wrong_number_of_fields"),
        ({"text": '"A ""T"" LIGHT, RED"'}, None),
    ],
    ids=lambda value: str(value),
)
def test_a_line_is_typed_or_rejected_with_the_first_reason_that_applies(
    ingested: Read, given: dict[str, str], reason: str | None
) -> None:
    text = line(**given)
    row = ingested([text]).collect()[0]
    assert (row["reason"], row["outcome"]) == (reason, "rejected" if reason else "kept")
    assert row["raw"] == text


QUANTITIES = [
    "6",
    "+6",
    "-6",
    " 6 ",
    "6\t",
    "06",
    "6.0",
    "6e0",
    "6,0",
    "",
    "-0",
    "2147483647",
    "2147483648",
    "100000",
    "-100001",
    "٣",
]
PRICES = ["2.55", "2.55555", "2.5500000", ".5", "5.", "1e2", "1E2", "1,234.5", "-0", "+2.5", "\t2.5", "2.5 5",
          "0000000000001.5", "10000000", "10000000.1", "-10000001",
          "12345678901234.5678", "99999999999999.9999", "1.", ".", "", "-", "NaN",
          "2.5.5"]  # fmt: skip
TIMES = ["2010-12-01 08:26:00", "2010-12-01T08:26:00", "2010-12-01 08:26:0Z", "2010-12-01 08:26:.5",
         "+010-12-01 08:26:00", "2010-13-01 08:26:00", "2010-12-01 24:00:00", "2010-12-01 08:60:00",
         "2011-02-29 08:26:00", "2012-02-29 08:26:00", "1979-12-31 23:59:59", "2099-12-31 23:59:59",
         "2100-01-01 00:00:00", "2010-12-01  8:26:00", "2010-12-01 08:26:00Z", "20101201", ""]  # fmt: skip


def test_a_line_in_the_usual_spelling_is_typed_as_with_all_that_is_understood(
    spark: SparkSession, config: RunConfig, tmp_path: Path
) -> None:
    """The short way gives what the long one gives, or leaves the line to it."""
    spelled = [{"quantity": f'"{text}"' if "," in text else text} for text in QUANTITIES]
    spelled += [{"price": f'"{text}"' if "," in text else text} for text in PRICES]
    spelled += [{"date": text} for text in TIMES]
    spelled += [{"quantity": text, "price": "10000000"} for text in ("99999", "100000", "-100000")]
    file = LandedFile(land(tmp_path, "a.csv", csv_bytes(*[line(**one) for one in spelled])), "a.csv", 1, 1)
    rules = config.settings.landing
    form = file_format(file, rules.columns)
    lines = landed_lines(spark, [(file, form)], tmp_path / "landed", SMALLEST_BLOCK, Observation())
    usual = usual_lines(lines, rules).where("outcome = 'kept'")
    assert usual.count() > 15
    assert usual.exceptAll(typed_lines(lines, rules, config.settings.time_zone)).collect() == []


def test_each_reject_has_its_file_and_line_whatever_stands_around_it(ingested: Read) -> None:
    crlf = "\r\n".join([HEADER, line(), "", line(quantity="x"), line()]).encode()
    bom = b"\xef\xbb\xbf" + "\n".join([HEADER, line(price="x")]).encode()
    table = ingested(crlf, [line()], bom).where("outcome = 'rejected'")
    assert [(r["file"], r["line"], r["reason"]) for r in table.orderBy("file").collect()] == [
        ("0.csv", 4, "quantity_unreadable"),
        ("2.csv", 2, "unit_price_unreadable"),
    ]


def test_lines_are_numbered_through_the_blocks_of_a_large_file(
    spark: SparkSession, ingested: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "SMALLEST_BLOCK", 1000)
    table = ingested([line(quantity=str(n)) for n in range(2, 302)], [line(quantity="2")], [line()] * 300)
    rows = table.where("file < '2'").select("file", "line", "quantity").collect()
    assert len(rows) == 301
    assert all(row["line"] == row["quantity"] for row in rows)
    assert sorted(column(table.where("file >= '2'"), "line")) == list(range(2, 302))


@pytest.mark.parametrize("files_of_a_partition", [None, "1"])
def test_each_file_is_numbered_from_its_first_line_however_spark_would_pack_them(
    spark: SparkSession, ingested: Read, files_of_a_partition: str | None
) -> None:
    """spark.sql.files.maxPartitionNum would put several files into one partition."""
    if files_of_a_partition:
        spark.conf.set("spark.sql.files.maxPartitionNum", files_of_a_partition)
    try:
        table = ingested(*[[line(quantity=str(n)) for n in range(2, 2 + count)] for count in range(1, 40)])
        rows = table.select("line", "quantity").collect()
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionNum")
    assert len(rows) == sum(range(1, 40))
    assert all(row["line"] == row["quantity"] for row in rows)


def test_lines_that_are_read_and_not_written_stop_the_conversion() -> None:
    written = {"a.csv": {"kept": 2, "quantity_unreadable": 1}, "b.csv": {"kept": 1}}
    check_all_are_written(4, written)
    with pytest.raises(OSError, match="5 lines were read, and 4 written"):
        check_all_are_written(5, written)


def test_columns_are_found_by_name_in_any_order_and_with_another_delimiter(ingested: Read) -> None:
    names = ["Country", "Note", *HEADER.split(",")[:-1]]
    content = ";".join(names) + "\nEIRE;x;536365;A;B;6;2010-12-01 08:26:00;2.55;17850\n"
    row = ingested(content.encode()).collect()[0]
    assert (row["country"], row["invoice_no"], row["unit_price"]) == ("EIRE", "536365", Decimal("2.5500"))


def test_quoted_text_is_read_by_rfc_4180(ingested: Read) -> None:
    table = ingested([line(text='"A ""T"" LIGHT, RED"'), line(text=""), line(text='""')])
    assert column(table, "description")[0] == 'A "T" LIGHT, RED'
    assert column(table, "outcome") == ["kept"] * 3


def test_customer_ids_are_normalised(ingested: Read) -> None:
    ids = ["17850.0", "17850", " 17850 ", "17850.5", "C-0042", "0042"]
    table = ingested([line(customer=given) for given in ids])
    assert column(table, "customer_id") == ["17850", "17850", "17850", "17850.5", "C-0042", "0042"]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, "purchase"),
        ({"invoice": "C536365"}, "cancellation"),
        ({"invoice": "c536365", "quantity": "-1", "price": "0"}, "cancellation"),
        ({"customer": "n/a", "quantity": "-1"}, "missing_customer"),
        ({"invoice": "A536365"}, "other"),
        ({"invoice": '"536365\n"'}, "other"),
        ({"invoice": "536365\u0085"}, "other"),
        ({"customer": "\t"}, "missing_customer"),
        ({"quantity": "0"}, "other"),
        ({"price": "0"}, "other"),
        ({"date": "2010-12-01T08:26:00"}, "purchase"),
        ({"date": "2010-12-01T08:26:00", "customer": ""}, "missing_customer"),
        ({"date": "soon"}, "other"),
    ],
    ids=lambda value: str(value),
)
def test_a_line_is_of_one_kind(ingested: Read, given: dict[str, str], kind: str) -> None:
    assert column(ingested([line(**given)]), "kind") == [kind]


# -- clean --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, None),
        ({"customer": ""}, "missing_customer"),
        ({"customer": "NULL"}, "missing_customer"),
        ({"customer": "nan"}, "missing_customer"),
        ({"customer": "C-0042"}, None),
        ({"customer": "", "invoice": "A1", "quantity": "0"}, "missing_customer"),
        ({"stock": "post"}, "excluded_stock_code"),
        ({"invoice": "A563185"}, "unknown_invoice_type"),
        ({"invoice": ""}, "unknown_invoice_type"),
        ({"quantity": "0"}, "quantity_not_positive"),
        ({"quantity": "-1", "price": "0"}, "quantity_not_positive"),
        ({"price": "0"}, "price_not_positive"),
        ({"price": "-5"}, "price_not_positive"),
        ({"invoice": "C536365", "quantity": "-1"}, None),
        ({"invoice": "c536365", "quantity": "-1"}, None),
    ],
    ids=lambda value: str(value),
)
def test_a_line_is_kept_or_rejected_by_the_first_rule_that_applies(
    ingested: Read, given: dict[str, str], reason: str | None
) -> None:
    row = cleaned_lines(ingested([line(**given)]), {"POST"}).collect()[0]
    assert (row["reason"], row["outcome"]) == (reason, "rejected" if reason else "kept")


@pytest.mark.parametrize(
    ("asked", "given", "linked"),
    [
        (["a.csv", "b.csv"], {}, True),
        (["a.csv"], {}, False),
        (["a.csv", "b.csv"], {"excluded_stock_codes": ["NONE"]}, False),
    ],
    ids=["a whole batch", "some files of a batch", "a rule looks at each line"],
)
def test_lines_are_cleaned_alike_by_links_and_by_writing_each(
    spark: SparkSession,
    config: RunConfig,
    tmp_path: Path,
    asked: list[str],
    given: dict[str, Any],
    linked: bool,
) -> None:
    lake = Lake(tmp_path / "lake")
    settings = config.settings.model_copy(update=given)
    run = Run("clean", D, lake, config.model_copy(update={"settings": settings}), False, "by hand", spark,
              tmp_path, 1)  # fmt: skip
    lines = [line(), line(invoice="C1"), line(customer=""), line(price="0"), line(quantity="x")]
    for name in ("a.csv", "b.csv"):
        land(tmp_path / "landing", name, csv_bytes(*lines))
    tables.ingested(spark, config, tmp_path / "landing")
    (written,) = (tmp_path / "landing").glob(".attempt-*/by line/ingested")
    stage, cleaned = tmp_path / "ingested", tmp_path / "cleaned"
    batch = lake.commit_batch(written, stage)
    view: View = {"files": {name: {"batch": batch} for name in asked}, "sizes": {batch: 2}}
    write_cleaned(run, stage, view, tmp_path / "made")
    batch = lake.commit_batch(tmp_path / "made", cleaned)
    files = (cleaned / f"batch={batch}" / "outcome=kept").rglob("*.parquet")
    assert {file.stat().st_nlink > 1 for file in files} == {linked}

    found = spark.read.schema(LINES).parquet(str(cleaned / f"batch={batch}"))
    kept, rejected = (found.where(f"outcome = '{outcome}'") for outcome in ("kept", "rejected"))
    rejects = {"missing_customer": 1, "price_not_positive": 1}
    of_a_file = {"kept": 2, "rejects": rejects, "countries": ["United Kingdom"], "large": False}
    assert counts_by_file(asked, orders(kept), rejected) == dict.fromkeys(asked, of_a_file)
    texts = [(row["line"], row["raw"]) for row in rejected.orderBy("file", "line").collect()]
    assert texts == [(4, lines[2]), (5, lines[3])] * len(asked)
    columns = ["file", "line", *LANDED_COLUMNS]
    wanted = cleaned_lines(run.read_batches(stage, view, LINES, "kept")).where("outcome = 'kept'")
    assert sorted(kept.select(columns).collect()) == sorted(wanted.select(columns).collect())


def test_an_amount_is_exact(ingested: Read) -> None:
    table = ingested([line(price="0.001", quantity="3"), line(price="0.1", quantity="3")])
    assert column(table.withColumn("amount", line_amount()), "amount") == [
        Decimal("0.0030"),
        Decimal("0.3000"),
    ]


def test_of_equal_lines_the_first_stays_where_duplicates_are_dropped(ingested: Read) -> None:
    table = cleaned_lines(ingested([line(), line(), line(quantity="7")], [line(customer="17850")]))
    reasons = column(without_repeats(table), "reason")
    assert reasons == [None, "duplicate_line", None, "duplicate_line"]
    assert column(table, "reason") == [None] * 4


def test_orders_add_up_lines_by_invoice_and_keep_their_file(ingested: Read) -> None:
    large = line(price="999999999")
    table = cleaned_lines(ingested([line(), line(price="1.00")], [line(), large], [line(customer="")]))
    added_up = orders(table.where("outcome = 'kept'"))
    assert [(r["file"], r["lines"], r["amount"]) for r in added_up.orderBy("file").collect()] == [
        ("0.csv", 2, Decimal("21.3000")),
        ("1.csv", 2, Decimal("6000000009.3000")),
    ]
    counts = {
        "0.csv": {"kept": 2, "rejects": {}, "countries": ["United Kingdom"], "large": False},
        "1.csv": {"kept": 2, "rejects": {}, "countries": ["United Kingdom"], "large": True},
        "2.csv": {"kept": 0, "rejects": {"missing_customer": 1}, "countries": [], "large": False},
    }
    assert counts_by_file(counts.keys(), added_up, table.where("outcome = 'rejected'")) == counts


def test_orders_in_many_batches_are_written_together_without_those_of_deleted_files(
    spark: SparkSession, config: RunConfig, tmp_path: Path
) -> None:
    lake = Lake(tmp_path)
    run = Run("clean", D, lake, config, False, "by hand", spark, tmp_path / "attempt", 1)
    stage = lake.orders(config.settings.clean_rules)
    view: View = {"files": {}, "sizes": {}}
    for number in range(MOST_ORDER_BATCHES):
        one = order(spark, ("1", str(number), "2010-12-01", "2.55", "UK"))
        both = one.withColumn("file", F.lit("deleted.csv")).union(
            one.withColumn("file", F.lit(f"{number}.csv"))
        )
        both.write.parquet(str(run.attempt / "orders"))
        batch = lake.commit_batch(run.attempt / "orders", stage)
        view["files"][f"{number}.csv"], view["sizes"][batch] = {"batch": batch}, 2
    assert orders_together(run, stage, view) == view
    view["files"]["more.csv"], view["sizes"]["more"] = {"batch": "more"}, 1
    order(spark, ("2", "X", "2010-12-01", "1", "UK")).withColumn("file", F.lit("more.csv")).write.parquet(
        str(stage / "batch=more")
    )
    before = run.read_batches(stage, view, ORDERS)
    together = orders_together(run, stage, view)
    assert together["files"].keys() == view["files"].keys()
    assert len(batches(together)) == 1
    (folder,) = (stage / batch for batch in batches(together))
    everything = spark.read.schema(ORDERS).parquet(str(folder))
    assert everything.count() == MOST_ORDER_BATCHES + 1
    assert everything.exceptAll(before).count() == before.exceptAll(everything).count() == 0


# -- rfm ----------------------------------------------------------------------------------------

D = date(2011, 1, 1)


def order(spark: SparkSession, *rows: tuple[str, str, str, str, str | None]) -> DataFrame:
    """Orders of (customer, invoice, date, amount, country)."""
    given = [
        ("f", c, i, d, "cancellation" if i.startswith("C") else "purchase", country, 1, amount)
        for c, i, d, amount, country in rows
    ]
    columns = "file string, customer_id string, invoice_no string, order_date date, line_type string, "
    table = small_table(spark, given, columns + "country string, lines long, amount string")
    amount = table["amount"].cast("decimal(38,4)")
    return table.withColumns({"amount": amount, "units": units(amount)})


def rfm_of(
    table: DataFrame, cancellations: Cancellations = "net", lookback: int | None = None, **compared: date
) -> DataFrame:
    countries = {row["country"] for row in table.where("country is not null").select("country").collect()}
    days = {"": D} | compared
    large = table.where("units is null").count() > 0
    return customer_rfm(table, days, lookback, cancellations, countries, large=large, seen=Observation())


def only(table: DataFrame) -> dict[str, Any]:
    rows = table.collect()
    assert len(rows) == 1
    return rows[0].asDict()


def test_a_cancelled_order_counts_for_neither_recency_nor_frequency(spark: SparkSession) -> None:
    table = order(spark, ("1", "10", "2010-12-01", "100", "UK"), ("1", "C11", "2010-12-30", "-30", "UK"))
    row = only(rfm_of(table, "net"))
    assert (row["recency_days"], row["frequency"], row["monetary"]) == (31, 1, Decimal("70.00"))
    assert (row["gross"], row["returned"]) == (Decimal("100.00"), Decimal("30.00"))
    assert only(rfm_of(table, "drop"))["monetary"] == Decimal("100.00")


def test_a_customer_with_cancellations_only_is_left_out(spark: SparkSession) -> None:
    table = order(spark, ("1", "C11", "2010-12-30", "-30", "UK"))
    assert rfm_of(table, "net").count() == 0


def test_a_customer_whose_purchases_were_all_cancelled_stays(spark: SparkSession) -> None:
    table = order(spark, ("1", "10", "2010-12-01", "9", "UK"), ("1", "C11", "2010-12-01", "-10", "UK"))
    assert only(rfm_of(table, "net"))["monetary"] == Decimal("-1.00")


def test_an_invoice_over_two_days_or_countries_counts_once(spark: SparkSession) -> None:
    table = order(spark, ("1", "10", "2010-12-01", "1", "UK"), ("1", "10", "2010-12-02", "1", "EIRE"))
    row = only(rfm_of(table, "net"))
    assert (row["frequency"], row["country"], row["recency_days"]) == (1, "EIRE", 30)


def test_of_several_countries_on_the_last_day_the_first_by_name_counts(spark: SparkSession) -> None:
    table = order(spark, ("1", "10", "2010-12-02", "1", "UK"), ("1", "11", "2010-12-02", "1", "EIRE"))
    assert only(rfm_of(table, "net"))["country"] == "EIRE"


def test_an_order_without_a_country_is_of_none(spark: SparkSession) -> None:
    table = order(spark, ("1", "10", "2010-12-01", "1", "UK"), ("1", "11", "2010-12-02", "1", None))
    assert only(rfm_of(table, "net"))["country"] is None


def test_money_is_rounded_half_up_once_per_customer(spark: SparkSession) -> None:
    table = order(spark, ("1", "10", "2010-12-02", "0.0025", "UK"), ("1", "11", "2010-12-02", "0.0025", "UK"))
    row = only(rfm_of(table, "net"))
    assert (row["monetary"], row["avg_order_value"]) == (Decimal("0.01"), Decimal("0.01"))


def test_an_amount_of_any_size_is_exact(spark: SparkSession) -> None:
    large, largest_in_units = "1000000000", "-999999999.9999"
    table = order(
        spark, ("1", "10", "2010-12-02", large, "UK"), ("1", "C1", "2010-12-02", largest_in_units, None)
    )
    assert {row["units"] for row in table.collect()} == {None, -9_999_999_999_999}
    row = only(rfm_of(table))
    assert (row["gross"], row["returned"]) == (Decimal("1000000000.00"), Decimal("1000000000.00"))
    assert row["monetary"] == Decimal("0.00")


def test_the_as_of_date_is_exclusive_and_the_look_back_includes_its_first_day(spark: SparkSession) -> None:
    days = ["2010-12-29", "2010-12-30", "2010-12-31", "2011-01-01"]
    table = order(spark, *[("1", str(n), day, "1", "UK") for n, day in enumerate(days)])
    assert only(rfm_of(table))["frequency"] == 3
    assert only(rfm_of(table, lookback=2))["frequency"] == 2
    assert line_counts(table, D, 2) == {"all": 4, "on_or_after_as_of": 1, "before_lookback": 1}


def test_both_dates_are_computed_apart_and_a_customer_may_count_as_of_one_only(spark: SparkSession) -> None:
    table = order(
        spark,
        ("both", "10", "2010-12-01", "5", "UK"),
        ("both", "11", "2010-12-31", "7", "EIRE"),
        ("now", "12", "2010-12-31", "1", "UK"),
        ("gone", "13", "2010-11-02", "2", "UK"),
    )
    found = {
        row["customer_id"]: row
        for row in rfm_of(table, lookback=31, **{COMPARED: date(2010, 12, 2)}).collect()
    }
    metrics = ["recency_days", "frequency", "monetary"]
    values = {
        customer: [[row[key + name] for name in metrics] for key in ("", COMPARED)]
        for customer, row in found.items()
    }
    nothing = [None, None, None]
    assert values == {
        "both": [[1, 2, Decimal(12)], [1, 1, Decimal(5)]],
        "now": [[1, 1, Decimal(1)], nothing],
        "gone": [nothing, [30, 1, Decimal(2)]],
    }
    assert (found["both"]["country"], found["gone"]["country"]) == ("EIRE", None)


# -- segment ------------------------------------------------------------------------------------


def customers(spark: SparkSession, monetary: list[str]) -> DataFrame:
    rows = [(str(n), n % 7 + 1, n % 3 + 1, value) for n, value in enumerate(monetary)]
    columns = "customer_id string, recency_days int, frequency long, monetary string"
    table = small_table(spark, rows, columns)
    return table.withColumn("monetary", table["monetary"].cast("decimal(18,2)"))


@pytest.mark.parametrize("n", [1, 2, 4, 5, 6, 99, 700])
def test_a_cut_is_the_smallest_value_with_enough_customers_at_or_below(spark: SparkSession, n: int) -> None:
    values = [Decimal(i * i * 37 % 1009) - 300 for i in range(n)]
    cuts = cut_points(customers(spark, [str(v) for v in values]), {"": n})[""]["M"]
    wanted = [min(v for v in values if 5 * sum(w <= v for w in values) >= j * n) for j in range(1, 5)]
    assert cuts == wanted


RANKS = (1, 2, 125, 249, 250)


@pytest.mark.parametrize("customers", [FEW, FEW + 1])
def test_values_at_ranks_are_those_of_the_sorted_list(spark: SparkSession, customers: int) -> None:
    values = [(f"g{i % 2}", str(i * 7919 % 104)) for i in range(500)]
    table = small_table(spark, values, "group string, value string")
    table = table.withColumn("value", table["value"].cast("decimal(18,2)"))
    found = values_at_ranks(table, {(g, r) for g in ("g0", "g1") for r in RANKS}, customers)
    for group in ("g0", "g1"):
        ordered = sorted(Decimal(v) for g, v in values if g == group)
        assert {r: v for (g, r), v in found.items() if g == group} == {r: ordered[r - 1] for r in RANKS}


def test_no_customers_have_no_cut_points(spark: SparkSession) -> None:
    assert cut_points(customers(spark, ["1"]).where("false"), {}) == {}


def test_scores_count_the_cuts_below_a_value_and_recency_is_better_when_less(spark: SparkSession) -> None:
    everything = SegmentMap.model_validate(
        {"segments": [{"name": "all", "description": "", "codes": ["..."]}]}
    )
    cuts = {"R": [Decimal(n) for n in (2, 4, 6, 8)], "F": [Decimal(1)] * 4, "M": [Decimal(10)] * 4}
    table = small_table(
        spark,
        [(1, 1, "9"), (2, 2, "10"), (3, 1, "11"), (9, 1, "0")],
        "recency_days int, frequency long, monetary string",
    )
    for name, kind in [("recency_days", "int"), ("frequency", "long"), ("monetary", "string")]:
        table = table.withColumn(COMPARED + name, F.lit(None).cast(kind))
    rows = segmented(table, {"": cuts}, everything).collect()
    assert [row["rfm_score"] for row in rows] == ["511", "551", "415", "111"]
    assert {row["segment"] for row in rows} == {"all"}
    assert {row["previous_segment"] for row in rows} == {None}


# -- publish ------------------------------------------------------------------------------------


def with_rejects(**counts: int) -> dict[str, Any]:
    """Files with so many rejects, the later ones landed later."""
    return {
        name: {"modified": place, "rejects": {"zero_byte": n // 2}, "clean": {"rejects": {"x": n - n // 2}}}
        for place, (name, n) in enumerate(counts.items())
    }


@pytest.mark.parametrize(
    "counts, shown",
    [
        ({"a": 3, "b": 0, "c": 5}, ["a", "c"]),
        ({"a": 0}, []),
        ({"a": 2, "b": REJECTS_LIMIT - 1, "c": 1}, ["b", "c"]),
        ({"a": 1, "b": REJECTS_LIMIT, "c": 1}, ["c"]),
        ({"a": 1, "b": REJECTS_LIMIT + 1}, ["b"]),
    ],
)
def test_rejects_are_published_of_the_latest_files_as_many_as_fit(
    counts: dict[str, int], shown: list[str]
) -> None:
    assert sorted(files_with_rejects(with_rejects(**counts))) == shown
