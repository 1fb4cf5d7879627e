"""The rules of clean: which lines are kept, and what orders add up to."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from include.lake.commit import commit_batch, commit_manifest
from include.lake.manifest import (
    BatchedFiles,
    CleanedFile,
    CleanedManifest,
    FileEntry,
    IngestedManifest,
)
from include.lake.paths import batch_folder
from include.lake.plan import MOST_ORDER_BATCHES, plan_clean
from include.landing.files import landed_files
from include.settings import RunConfig
from include.spark.conversion import convert_files
from include.spark.lines import read_lines, read_orders, read_written, write_orders
from include.spark.schemas import LANDED, LINES, ORDERS
from spark_jobs.clean import (
    clean_files,
    cleaned_file,
    cleaned_lines,
    compare_invoices,
    line_counts,
    merge_orders,
    orders,
    without_repeats,
)
from tests import tables
from tests.tables import ReadFiles, column, csv_bytes, land, line
from tests.unit.jobs.orders import order_table
from tests.unit.jobs.runs import run_in

# The fields of a line that are not the usual ones, and why it is rejected.
REASONS: list[tuple[dict[str, str], str | None]] = [
    ({}, None),
    ({"customer": ""}, "missing_customer"),
    ({"customer": "NULL"}, "missing_customer"),
    ({"customer": "nan"}, "missing_customer"),
    ({"customer": "C-0042"}, None),
    ({"customer": "", "invoice": "A1", "quantity": "0"}, "unknown_invoice_type"),
    ({"stock": "post"}, "excluded_stock_code"),
    ({"stock": " POST "}, "excluded_stock_code"),
    ({"stock": "POSTER"}, None),
    ({"stock": "GIFT_0001_20"}, "excluded_stock_code"),
    ({"stock": "gift_"}, "excluded_stock_code"),
    ({"stock": "giftX0001"}, None),
    ({"stock": "a gift_0001"}, None),
    ({"stock": "C2"}, "excluded_stock_code"),
    ({"stock": "C22"}, None),
    ({"stock": "3.5+"}, "excluded_stock_code"),
    ({"stock": "385+"}, None),
    ({"stock": ""}, None),
    ({"invoice": "A563185"}, "unknown_invoice_type"),
    ({"invoice": ""}, "unknown_invoice_type"),
    ({"quantity": "0"}, "quantity_not_positive"),
    ({"quantity": "-1", "price": "0"}, "price_not_positive"),
    ({"quantity": "-1"}, None),
    ({"price": "0"}, "price_not_positive"),
    ({"price": "-5"}, "price_not_positive"),
    ({"invoice": "C536365", "quantity": "-1"}, None),
    ({"invoice": "c536365", "quantity": "-1"}, None),
]


@pytest.fixture(scope="module")
def rows(spark: SparkSession, config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """The line of each case, cleaned. A few stock codes are excluded."""
    excluded = config.settings.model_copy(update={"excluded_stock_codes": ["POST ", "gift_*", "c?", "3.5*+"]})
    folder = tmp_path_factory.mktemp("landing")
    land(folder, "a.csv", csv_bytes(*[line(**fields) for fields, _ in REASONS]))
    cleaned = (
        cleaned_lines(tables.ingested(spark, config, folder)[0], excluded.excluded_codes)
        .orderBy("line")
        .collect()
    )
    return {str(fields): row for (fields, _), row in zip(REASONS, cleaned, strict=True)}


@pytest.mark.parametrize(("fields", "reason"), REASONS, ids=str)
def test_a_line_is_kept_or_rejected_by_the_first_rule_that_applies(
    rows: dict[str, Row], fields: dict[str, str], reason: str | None
) -> None:
    row = rows[str(fields)]
    assert (row["reason"], row["outcome"]) == (reason, "rejected" if reason else "kept")


def test_the_first_of_equal_lines_is_kept_when_duplicates_are_dropped(ingested: ReadFiles) -> None:
    table = cleaned_lines(ingested([line(), line(), line(quantity="7")], [line(customer="17850")]))
    reasons = column(without_repeats(table), "reason")
    assert reasons == [None, "duplicate_line", None, "duplicate_line"]
    assert column(table, "reason") == [None] * 4


# -- orders -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cleaned(spark: SparkSession, config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """The lines of three files: two usual ones, one with a large amount, none that is kept."""
    folder = tmp_path_factory.mktemp("landing")
    files = [[line(), line(price="1.00")], [line(), line(price="999999999")], [line(customer="")]]
    for number, lines in enumerate(files):
        land(folder, f"{number}.csv", csv_bytes(*lines))
    return cleaned_lines(tables.ingested(spark, config, folder)[0]).localCheckpoint()


def test_orders_add_up_lines_by_invoice_and_keep_their_file(cleaned: DataFrame) -> None:
    """6 x 2.55 + 6 x 1.00 = 21.30; 6 x 2.55 + 6 x 999,999,999 = 6,000,000,009.30"""
    added_up = orders(cleaned.where("outcome = 'kept'")).orderBy("file").collect()
    assert [(row["file"], row["lines"], row["amount"]) for row in added_up] == [
        ("0.csv", 2, Decimal("21.3000")),
        ("1.csv", 2, Decimal("6000000009.3000")),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "0.csv",
            {"kept": 2, "rejects": {}, "countries": ["United Kingdom"], "needs_decimal": False, "orders": 1},
        ),
        (
            "1.csv",
            {"kept": 2, "rejects": {}, "countries": ["United Kingdom"], "needs_decimal": True, "orders": 1},
        ),
        (
            "2.csv",
            {
                "kept": 0,
                "rejects": {"missing_customer": 1},
                "countries": [],
                "needs_decimal": False,
                "orders": 0,
            },
        ),
    ],
)
def test_lines_are_counted_by_file(cleaned: DataFrame, name: str, expected: dict[str, object]) -> None:
    kept, rejected = (cleaned.where(f"outcome = '{outcome}'") for outcome in ("kept", "rejected"))
    counts = line_counts(orders(kept), rejected).where(F.col("file") == name).collect()
    entry = cleaned_file("c", "i", counts)
    assert entry == CleanedFile(batch="c", ingested_batch="i", **expected)


# -- cleaning by links --------------------------------------------------------------------------

LINES_OF_A_FILE = [line(), line(invoice="C1"), line(customer=""), line(price="0"), line(quantity="x")]


@dataclass(frozen=True)
class Case:
    """Which of two files that were ingested together count, and whether their kept lines can be linked."""

    files: list[str]
    excluded: list[str]
    linked: bool


@dataclass(frozen=True)
class Cleaning:
    """What clean made of the files."""

    case: Case
    ingested: DataFrame
    folder: Path
    lines: DataFrame
    entries: dict[str, CleanedFile]


CASES = {
    "a whole batch": Case(["a.csv", "b.csv"], [], linked=True),
    "some files of a batch": Case(["a.csv"], [], linked=False),
    "a rule looks at each line": Case(["a.csv", "b.csv"], ["NONE"], linked=False),
}


@pytest.fixture(scope="module", params=[*CASES.values()], ids=[*CASES])
def cleaning(
    request: pytest.FixtureRequest,
    spark: SparkSession,
    config: RunConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Cleaning:
    case: Case = request.param
    settings = config.settings.model_copy(update={"excluded_stock_codes": case.excluded})
    run = run_in(
        tmp_path_factory.mktemp("clean"), spark, config.model_copy(update={"settings": settings}), "clean"
    )
    for name in ("a.csv", "b.csv"):
        land(run.lake.landing, name, csv_bytes(*LINES_OF_A_FILE))
    conversion = convert_files(run, landed_files(run.lake.landing)[0], {})
    files = conversion.of(case.files)
    manifest = IngestedManifest(files=files.files, files_in_batch=files.files_in_batch, landing_version=1)
    commit_manifest(run.lake, run.lake.ingested(settings.ingest_fingerprint), manifest)

    plan = plan_clean(run.lake, settings)
    entries, _ = clean_files(run, plan)
    (batch,) = {entry.batch for entry in entries.values()}
    folder = batch_folder(plan.stage, batch)
    return Cleaning(
        case=case,
        ingested=read_lines(spark, plan.ingested_stage, manifest, "kept"),
        folder=folder,
        lines=read_written(spark, folder, LINES),
        entries=entries,
    )


def test_kept_lines_are_linked_only_where_no_rule_looks_at_them(cleaning: Cleaning) -> None:
    files = (cleaning.folder / "outcome=kept").rglob("*.parquet")
    assert {file.stat().st_nlink > 1 for file in files} == {cleaning.case.linked}


def test_lines_are_counted_alike_by_links_and_by_writing_each(cleaning: Cleaning) -> None:
    rejects = {"missing_customer": 1, "price_not_positive": 1}
    counts = {
        "kept": 2,
        "rejects": rejects,
        "countries": ["United Kingdom"],
        "needs_decimal": False,
        "orders": 2,
    }
    found = {
        name: entry.model_dump(exclude={"batch", "ingested_batch"})
        for name, entry in cleaning.entries.items()
    }
    assert found == dict.fromkeys(cleaning.case.files, counts)


def test_rejected_lines_keep_their_text(cleaning: Cleaning) -> None:
    rejected = cleaning.lines.where("outcome = 'rejected'").orderBy("file", "line").collect()
    texts = [(4, LINES_OF_A_FILE[2]), (5, LINES_OF_A_FILE[3])]
    assert [(row["line"], row["raw"]) for row in rejected] == texts * len(cleaning.case.files)


def test_kept_lines_are_those_of_the_rules(cleaning: Cleaning) -> None:
    columns = ["file", "line", *LANDED.names]
    kept = cleaning.lines.where("outcome = 'kept'")
    expected = cleaned_lines(cleaning.ingested).where("outcome = 'kept'")
    assert sorted(kept.select(columns).collect()) == sorted(expected.select(columns).collect())


# -- invoices in several files ------------------------------------------------------------------

DECEMBER = [line(invoice="1", date="2010-12-30 10:00:00"), line(invoice="2", date="2010-12-31 11:00:00")]
JANUARY = [line(invoice="2", date="2010-12-31 11:00:00"), line(invoice="3", date="2011-01-02 10:00:00")]


def overlapping(
    folder: Path, spark: SparkSession, config: RunConfig, setting: str
) -> tuple[CleanedManifest, list[tuple[str, str]]]:
    """The manifest after two files of which both have invoice 2; and the file and invoice of each order."""
    settings = config.settings.model_copy(update={"invoice_in_several_files": setting})
    run = run_in(folder, spark, config.model_copy(update={"settings": settings}), "clean")
    for name, lines in [("2010.csv", DECEMBER), ("2011.csv", JANUARY)]:
        land(run.lake.landing, name, csv_bytes(*lines))
    conversion = convert_files(run, landed_files(run.lake.landing)[0], {})
    manifest = IngestedManifest(files=conversion.files, files_in_batch=conversion.files_in_batch)
    commit_manifest(run.lake, run.lake.ingested(settings.ingest_fingerprint), manifest)
    plan = plan_clean(run.lake, settings)
    cleaned, orders_written = clean_files(run, plan)
    findings = compare_invoices(run, plan, orders_written, cleaned)
    counted = read_orders(spark, plan.orders_stage, orders_written).orderBy("invoice_no", "file").collect()
    return (
        plan.manifest(cleaned, orders_written, findings, run.execution),
        [(row["file"], row["invoice_no"]) for row in counted],
    )


def test_lines_of_an_invoice_in_several_files_add_up_and_are_found(
    spark: SparkSession, config: RunConfig, tmp_path: Path
) -> None:
    manifest, counted = overlapping(tmp_path, spark, config, "all")
    assert counted == [("2010.csv", "1"), ("2010.csv", "2"), ("2011.csv", "2"), ("2011.csv", "3")]
    assert manifest.stages["clean"].rejects == {}
    assert manifest.files["2010.csv"].findings is None
    (found,) = manifest.files["2011.csv"].findings or []
    assert (found.what, found.invoices, found.lines, found.alike) == ("repeated", 1, 1, 1)
    assert manifest.files["2011.csv"].orders == 2


def test_the_newest_file_owns_an_invoice_where_it_is_configured(
    spark: SparkSession, config: RunConfig, tmp_path: Path
) -> None:
    manifest, counted = overlapping(tmp_path, spark, config, "newest")
    assert counted == [("2010.csv", "1"), ("2011.csv", "2"), ("2011.csv", "3")]
    assert manifest.files["2010.csv"].rejects == {"older_delivery": 1}
    (found,) = manifest.files["2011.csv"].findings or []
    assert (found.what, found.invoices, found.alike) == ("repeated", 1, 1), (
        "as delivered, before the older one was rejected"
    )


# -- merging orders -----------------------------------------------------------------------------


def test_orders_in_many_batches_are_merged_without_those_of_deleted_files(
    spark: SparkSession, config: RunConfig, tmp_path: Path
) -> None:
    run = run_in(tmp_path, spark, config, "clean")
    run.lake.root.mkdir()
    ingested_stage = run.lake.ingested(config.settings.ingest_fingerprint)
    commit_manifest(run.lake, ingested_stage, IngestedManifest())
    plan = plan_clean(run.lake, config.settings)
    entries, files_in_batch = dict[str, FileEntry](), dict[str, int]()

    def batched() -> BatchedFiles[FileEntry]:
        return BatchedFiles(files=entries, files_in_batch=files_in_batch)

    for number in range(MOST_ORDER_BATCHES):
        order = ("1", str(number), "2010-12-01", "2.55", "UK")
        both = [order_table(spark, order, file=name) for name in ("deleted.csv", f"{number}.csv")]
        write_orders(both[0].union(both[1]), run.folder / "orders")
        batch = commit_batch(run.folder / "orders", plan.orders_stage)
        entries[f"{number}.csv"], files_in_batch[batch] = FileEntry(batch=batch), 2
    assert merge_orders(run, plan, batched()) == batched(), "as many batches as there may be"

    entries["more.csv"], files_in_batch["more"] = FileEntry(batch="more"), 1
    more = order_table(spark, ("2", "X", "2010-12-01", "1", "UK"), file="more.csv")
    write_orders(more, batch_folder(plan.orders_stage, "more"))
    before = read_orders(spark, plan.orders_stage, batched())
    merged = merge_orders(run, plan, batched())
    assert merged.files.keys() == entries.keys()
    (batch,) = merged.batches
    everything = read_written(spark, batch_folder(plan.orders_stage, batch), ORDERS)
    assert everything.count() == MOST_ORDER_BATCHES + 1
    assert everything.exceptAll(before).count() == before.exceptAll(everything).count() == 0
