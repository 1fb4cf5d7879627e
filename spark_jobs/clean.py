"""clean: the business rules, from ingested lines to cleaned lines and orders.

A purchase line has an all-digit invoice number, a quantity and a unit price above zero. A cancellation
line has an invoice number that starts with C. Every line ends in exactly one of kept or rejected, with
the first reason that applies in this order:

    missing_customer        no customer id (guest sales): nobody to segment
    excluded_stock_code     on the configured list
    unknown_invoice_type    neither a purchase nor a cancellation, such as a bad-debt adjustment
    quantity_not_positive   on a purchase invoice
    price_not_positive      on a purchase invoice
    duplicate_line          an exact repeat of a kept line, where `duplicates` is drop

`ingest` has already put each type of line in its own folder. Where a whole type is kept or rejected, its
files are hard-linked instead of rewritten, unless a configured rule looks at each line, or some lines of
the batch no longer count because their file was replaced.

Orders are the kept lines added up per landed file, customer, invoice, date and country: what `rfm` needs,
about one row for twenty lines. They keep the file, so that the orders of a deleted file can be left out.
Each run with new files adds a batch of them; many batches are rewritten as one.
"""

import logging
from collections.abc import Collection, Sequence
from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType

from include.lake.commit import commit_batch, commit_manifest, link_files
from include.lake.manifest import BatchedFiles, CleanedFile, FileEntry
from include.lake.paths import batch_folder
from include.lake.plan import CleanPlan, has_many_batches, plan_clean
from include.landing.line_types import CANCELLATION, MISSING_CUSTOMER, PURCHASE, PURCHASE_INVOICE
from include.spark.columns import line_amount, outcome, reject_reason
from include.spark.job import Run, job
from include.spark.lines import (
    folder_of_type,
    read_lines,
    read_orders,
    read_written,
    write_lines,
    write_orders,
)
from include.spark.schemas import AMOUNT, AMOUNT_SCALE, LANDED, LARGEST_SCALED_AMOUNT, LINES, ORDERS

log = logging.getLogger("rfm")

# The outcome of the types of lines at which no rule has to look.
OUTCOME_OF_TYPE = {PURCHASE: "kept", CANCELLATION: "kept", MISSING_CUSTOMER: "rejected"}


# -- the rules ----------------------------------------------------------------------------------


def cleaned_lines(ingested: DataFrame, excluded_codes: Collection[str] = ()) -> DataFrame:
    """Every ingested line with the reason and outcome of the rules; columns as in schemas.LINES. No line is
    left out."""
    line_type = F.col("line_type")
    excluded = F.upper(F.trim("stock_code")).isin(sorted(excluded_codes)) if excluded_codes else F.lit(False)
    reason = (
        F.when(line_type == MISSING_CUSTOMER, MISSING_CUSTOMER)
        .when(F.coalesce(excluded, F.lit(False)), "excluded_stock_code")
        .when(line_type.isin(PURCHASE, CANCELLATION), None)
        .when(~F.coalesce("invoice_no", F.lit("")).rlike(PURCHASE_INVOICE), "unknown_invoice_type")
        .when(F.col("quantity") <= 0, "quantity_not_positive")
        .otherwise("price_not_positive")
    )
    return ingested.withColumn("reason", reason).withColumn("outcome", outcome()).select(*LINES.names)


def without_repeats(cleaned: DataFrame) -> DataFrame:
    """The same lines, with every kept line that repeats an earlier one (by file, then line; all landed
    columns equal) rejected as duplicate_line."""
    same_line = Window.partitionBy("outcome", *LANDED.names).orderBy("file", "line")
    repeated = (F.col("outcome") == "kept") & (F.row_number().over(same_line) > 1)
    reason = F.when(repeated, "duplicate_line").otherwise(F.col("reason"))
    return cleaned.withColumn("reason", reason).withColumn("outcome", outcome())


def orders(kept: DataFrame) -> DataFrame:
    """Kept lines added up; one row per file, customer, invoice, date and country, with the number of lines
    and their exact amount (negative for cancellations). Columns as in schemas.ORDERS."""
    return (
        kept.withColumns({"order_date": F.col("invoice_date").cast("date"), "amount": line_amount()})
        .groupBy("file", "customer_id", "invoice_no", "order_date", "line_type", "country")
        .agg(F.count("*").alias("lines"), F.sum("amount").cast(AMOUNT).alias("amount"))
        .withColumn("amount_e4", scaled(F.col("amount")))
        .select(*ORDERS.names)
    )


def scaled(amount: Column) -> Column:
    """The amount as a whole number of 1/10,000; null from LARGEST_SCALED_AMOUNT on, either way."""
    digits = len(str(LARGEST_SCALED_AMOUNT)) - 1 + AMOUNT.scale
    small: Column = F.when(F.abs(amount) < LARGEST_SCALED_AMOUNT, amount).cast(
        DecimalType(digits, AMOUNT.scale)
    )
    return (small * AMOUNT_SCALE).cast("long")


# -- carrying out the plan ----------------------------------------------------------------------


def clean_files(run: Run, plan: CleanPlan) -> tuple[dict[str, CleanedFile], BatchedFiles[FileEntry]]:
    """Clean the new files of the plan, and commit their lines and orders. Returns them by name, and the
    batches of all orders."""
    if not plan.new:
        return {}, plan.orders_with({})
    folder, orders_folder = run.folder / "cleaned", run.folder / "orders"
    write_cleaned(run, plan, folder)
    batch = commit_batch(folder, plan.stage)
    lines = read_lines(run.spark, plan.stage, in_one_batch(plan.new, batch))
    write_orders(orders(lines.where("outcome = 'kept'")), orders_folder)
    written_orders = read_written(run.spark, orders_folder, ORDERS)
    cleaned = cleaned_files(plan, batch, line_counts(written_orders, lines.where("outcome = 'rejected'")))
    orders_batch = commit_batch(orders_folder, plan.orders_stage)
    return cleaned, plan.orders_with(dict.fromkeys(plan.new, orders_batch))


def write_cleaned(run: Run, plan: CleanPlan, folder: Path) -> None:
    """Write the lines of the new files with their outcomes.

    Rewriting kept lines as ingest wrote them would be half of the work. Where no rule looks into the
    lines of a type, and all files of a batch count, its files are linked.
    """
    settings, files, stage = run.config.settings, plan.new_files, plan.ingested_stage
    looks_at_lines = settings.excluded_codes or settings.duplicates == "drop"
    linked = set() if looks_at_lines else files.whole_batches
    parts = []
    if linked:
        lines = read_lines(run.spark, stage, files.in_batches(linked), "kept")
        parts.append(lines.where(~F.col("line_type").isin(*OUTCOME_OF_TYPE)))
    if others := files.batches - linked:
        parts.append(read_lines(run.spark, stage, files.in_batches(others), "kept"))
    cleaned = cleaned_lines(reduce(DataFrame.unionByName, parts), settings.excluded_codes)
    if settings.duplicates == "drop":
        cleaned = without_repeats(cleaned)
    # A kept line's text stays in `ingested`; writing it again would be half of the bytes.
    write_lines(cleaned.withColumn("raw", F.when(F.col("outcome") == "rejected", F.col("raw"))), folder)
    for batch in linked:
        link_types(batch_folder(stage, batch), folder)


def link_types(batch: Path, folder: Path) -> None:
    """Link the kept lines of a batch whose type decides their outcome."""
    for line_type, outcome_of_type in OUTCOME_OF_TYPE.items():
        written = folder_of_type(batch, "kept", line_type)
        if written.exists():
            link_files(written, folder_of_type(folder, outcome_of_type, line_type))


def line_counts(orders: DataFrame, rejected: DataFrame) -> DataFrame:
    """Lines by file, country and reason (null for kept lines), and whether an order of them needs decimals:
    its amount has no amount_e4."""
    no_text, one = F.lit(None).cast("string"), F.lit(1).cast("long")
    kept = orders.select(
        "file", "country", no_text.alias("reason"), "lines", F.isnull("amount_e4").alias("needs_decimal")
    )
    rejects = rejected.select(
        "file",
        no_text.alias("country"),
        reject_reason(),
        one.alias("lines"),
        F.lit(False).alias("needs_decimal"),
    )
    return (
        kept.unionByName(rejects)
        .groupBy("file", "country", "reason")
        .agg(F.sum("lines").alias("lines"), F.max("needs_decimal").alias("needs_decimal"))
    )


def cleaned_files(plan: CleanPlan, batch: str, counts: DataFrame) -> dict[str, CleanedFile]:
    """What the rules made of each new file. `counts` is as from line_counts."""
    by_file: dict[str, list[Row]] = {name: [] for name in plan.new}
    for row in counts.collect():  # a few rows per landed file
        by_file[row["file"]].append(row)
    return {
        name: cleaned_file(batch, plan.ingested.files[name].batch, rows) for name, rows in by_file.items()
    }


def cleaned_file(batch: str, ingested_batch: str, counts: Sequence[Row]) -> CleanedFile:
    kept = [row for row in counts if row["reason"] is None]
    return CleanedFile(
        batch=batch,
        ingested_batch=ingested_batch,
        kept=sum(row["lines"] for row in kept),
        rejects={row["reason"]: row["lines"] for row in counts if row["reason"] is not None},
        countries=[row["country"] for row in kept if row["country"] is not None],
        needs_decimal=any(row["needs_decimal"] for row in kept),
    )


def merge_orders(run: Run, plan: CleanPlan, orders: BatchedFiles[FileEntry]) -> BatchedFiles[FileEntry]:
    """The same orders, rewritten as one batch where they are in many."""
    if not has_many_batches(orders):
        return orders
    folder = run.folder / "merged orders"
    write_orders(read_orders(run.spark, plan.orders_stage, orders), folder)
    batch = commit_batch(folder, plan.orders_stage)
    log.info("orders of %d files are in one batch again", len(orders.files))
    return in_one_batch(orders.files, batch)


def in_one_batch(names: Collection[str], batch: str) -> BatchedFiles[FileEntry]:
    entry = FileEntry(batch=batch)
    return BatchedFiles(files=dict.fromkeys(names, entry), files_in_batch={batch: len(names)})


def main(argv: Sequence[str] | None = None) -> None:
    with job("clean", __doc__, argv) as run:
        plan = plan_clean(run.lake, run.config.settings)
        cleaned, orders = clean_files(run, plan)
        manifest = plan.manifest(cleaned, merge_orders(run, plan, orders), run.execution)
        run.report(manifest.stages["clean"])
        commit_manifest(run.lake, plan.stage, manifest)


if __name__ == "__main__":
    main()
