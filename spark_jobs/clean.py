"""clean: the business rules, from ingested lines to cleaned lines and orders.

`ingest` has decided what type each line is, by its format's invoice numbers and the signs of its numbers
(include/landing/outcomes.py), and put each type in a folder of its own. Every line ends in exactly one of
kept or rejected, with the first reason that applies in this order:

    unknown_invoice_type    neither a purchase nor a cancellation, such as a bad-debt adjustment
    missing_customer        no customer id (guest sales): nobody to segment
    excluded_stock_code     one of the configured codes or patterns
    quantity_not_positive, price_not_positive, amount_not_positive    on a purchase invoice
    older_delivery          a newer file has the invoice, where `invoice_in_several_files` is newest
    duplicate_line          an exact repeat of a kept line, where `duplicates` is drop

The files of a type are hard-linked instead of rewritten, unless a configured rule looks at each line, or some
lines of the batch no longer count because their file was replaced.

Orders are the kept lines added up per landed file, customer, invoice, date and country: what `rfm` needs,
about one row for twenty lines. They keep the file, so that the orders of a deleted file can be left out.
Each run with new files adds a batch of them; many batches are rewritten as one.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from functools import partial, reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType

from include.lake.commit import commit_batch, commit_manifest, link_files
from include.lake.deliveries import deliveries
from include.lake.invoices import invoice_findings, scan_folder, scan_lines, scan_orders
from include.lake.manifest import BatchedFiles, CleanedFile, FileEntry, InvoiceFinding
from include.lake.paths import batch_folder
from include.lake.plan import CleanPlan, has_many_batches, plan_clean
from include.landing.line_types import (
    CANCELLATION,
    MISSING_CUSTOMER,
    NO_AMOUNT,
    NO_PRICE,
    NO_QUANTITY,
    PURCHASE,
    UNKNOWN_INVOICE,
)
from include.settings import code_pattern
from include.spark.columns import line_amount, outcome, refund, reject_reason
from include.spark.invoices import without_older_deliveries
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

# The outcome of the types of lines, where no configured rule looks at each line.
OUTCOME_OF_TYPE = dict.fromkeys([PURCHASE, CANCELLATION], "kept") | dict.fromkeys(
    [UNKNOWN_INVOICE, MISSING_CUSTOMER, NO_QUANTITY, NO_PRICE, NO_AMOUNT], "rejected"
)


# -- the rules ----------------------------------------------------------------------------------


def cleaned_lines(ingested: DataFrame, excluded_codes: Collection[str] = ()) -> DataFrame:
    """Every ingested line with the reason and outcome of the rules; columns as in schemas.LINES. No line is
    left out."""
    line_type = F.col("line_type")
    reason = (
        F.when(line_type.isin(UNKNOWN_INVOICE, MISSING_CUSTOMER), line_type)
        .when(is_excluded(excluded_codes), "excluded_stock_code")
        .when(~line_type.isin(PURCHASE, CANCELLATION), line_type)
    )
    return ingested.withColumn("reason", reason).withColumn("outcome", outcome()).select(*LINES.names)


def is_excluded(codes: Collection[str]) -> Column:
    """Whether a line's stock code is one of the codes, which are in upper case, or fits one with * or ?."""
    code = F.coalesce(F.upper(F.trim("stock_code")), F.lit(""))
    patterns = sorted(key for key in codes if "*" in key or "?" in key)
    found = code.isin(sorted(set(codes).difference(patterns)))
    if not patterns:
        return found
    return found | code.rlike(rf"(?s)^({'|'.join(map(code_pattern, patterns))})\z")


def without_repeats(cleaned: DataFrame) -> DataFrame:
    """The same lines, with every kept line that repeats an earlier one (by file, then line; all landed
    columns equal) rejected as duplicate_line."""
    same_line = Window.partitionBy("outcome", *LANDED.names).orderBy("file", "line")
    repeated = (F.col("outcome") == "kept") & (F.row_number().over(same_line) > 1)
    reason = F.when(repeated, "duplicate_line").otherwise(F.col("reason"))
    return cleaned.withColumn("reason", reason).withColumn("outcome", outcome())


def orders(kept: DataFrame) -> DataFrame:
    """Kept lines added up; one row per part of a file, customer, invoice, date and country, with the number
    of lines and their exact amount (negative for cancellations). What was given back of an order is a row of
    its own, without lines. Columns as in schemas.ORDERS."""
    order = ["file", "part", "customer_id", "invoice_no", "order_date", "country"]
    sums = (
        kept.withColumns({"order_date": F.col("invoice_date").cast("date"), "amount": line_amount()})
        .withColumn("refund", refund())
        .groupBy(*order, "line_type")
        .agg(F.count("*").alias("lines"), F.sum("amount").alias("amount"), F.sum("refund").alias("refund"))
    )
    rows = F.array(part_of_order(F.col("line_type"), F.col("lines"), F.col("amount")))
    back = F.array(part_of_order(F.lit(CANCELLATION), F.lit(0).cast("long"), -F.col("refund")))
    with_refund = F.when(F.col("refund") > 0, F.concat(rows, back)).otherwise(rows)
    parts = sums.select(*order, F.inline(with_refund))
    return parts.withColumn("amount_e4", scaled(F.col("amount"))).select(*ORDERS.names)


def part_of_order(line_type: Column, lines: Column, amount: Column) -> Column:
    return F.struct(line_type.alias("line_type"), lines.alias("lines"), amount.cast(AMOUNT).alias("amount"))


def scaled(amount: Column) -> Column:
    """The amount as a whole number of 1/10,000; null where it has more decimals, and from
    LARGEST_SCALED_AMOUNT on, either way."""
    digits = len(str(LARGEST_SCALED_AMOUNT)) - 1 + AMOUNT.scale
    small: Column = F.when(F.abs(amount) < LARGEST_SCALED_AMOUNT, amount).cast(
        DecimalType(digits, AMOUNT.scale)
    )
    smallest_units = (small * 10**AMOUNT.scale).cast("long")
    is_whole = smallest_units % (10**AMOUNT.scale // AMOUNT_SCALE) == 0
    return F.when(is_whole, (small * AMOUNT_SCALE).cast("long"))


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
    looks_at_lines = settings.excluded_codes or settings.compares_files
    linked = set() if looks_at_lines else files.whole_batches
    parts = []
    if linked:
        lines = read_lines(run.spark, stage, files.in_batches(linked), "kept")
        parts.append(lines.where(~F.col("line_type").isin(*OUTCOME_OF_TYPE)))
    if others := files.batches - linked:
        parts.append(read_lines(run.spark, stage, files.in_batches(others), "kept"))
    cleaned = cleaned_lines(reduce(DataFrame.unionByName, parts), settings.excluded_codes)
    if settings.invoice_in_several_files == "newest":
        cleaned = without_older_deliveries(cleaned, deliveries(plan.ingested.files))
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
    """Lines and orders by file, country and reason (null for kept lines), and whether an order of them needs
    decimals: its amount has no amount_e4."""
    no_text, one, none = F.lit(None).cast("string"), F.lit(1).cast("long"), F.lit(0).cast("long")
    kept = orders.select(
        "file",
        "country",
        no_text.alias("reason"),
        "lines",
        F.when(F.col("lines") > 0, one).otherwise(none).alias("orders"),
        F.isnull("amount_e4").alias("needs_decimal"),
    )
    rejects = rejected.select(
        "file",
        no_text.alias("country"),
        reject_reason(),
        one.alias("lines"),
        none.alias("orders"),
        F.lit(False).alias("needs_decimal"),
    )
    return (
        kept.unionByName(rejects)
        .groupBy("file", "country", "reason")
        .agg(
            F.sum("lines").alias("lines"),
            F.sum("orders").alias("orders"),
            F.max("needs_decimal").alias("needs_decimal"),
        )
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
        orders=sum(row["orders"] for row in kept),
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


def compare_invoices(
    run: Run, plan: CleanPlan, orders: BatchedFiles[FileEntry], cleaned: Mapping[str, CleanedFile]
) -> dict[str, list[InvoiceFinding]]:
    """What is doubtful about the invoices of the files to compare, by file."""
    if not plan.to_compare:
        return {}
    entries = {**plan.cleaned.files, **cleaned}
    every_file = BatchedFiles[FileEntry](files={name: entries[name] for name in plan.ingested.files})
    delivered = scan_orders(plan.orders_stage, orders)
    if run.config.settings.invoice_in_several_files == "newest":  # then all files have been cleaned
        (batch,) = {entry.batch for entry in cleaned.values()}
        lines = read_lines(run.spark, plan.stage, in_one_batch(cleaned, batch))
        write_orders(delivered_orders(lines), run.folder / "delivered")
        delivered = scan_folder(run.folder / "delivered")
    all_lines = partial(scan_lines, plan.stage, every_file)
    return invoice_findings(delivered, all_lines, deliveries(plan.ingested.files), plan.to_compare)


def delivered_orders(cleaned: DataFrame) -> DataFrame:
    """The orders as they were delivered, with the lines that newer deliveries have replaced."""
    return orders(cleaned.where((F.col("outcome") == "kept") | (F.col("reason") == "older_delivery")))


def in_one_batch(names: Collection[str], batch: str) -> BatchedFiles[FileEntry]:
    entry = FileEntry(batch=batch)
    return BatchedFiles(files=dict.fromkeys(names, entry), files_in_batch={batch: len(names)})


def main(argv: Sequence[str] | None = None) -> None:
    with job("clean", __doc__, argv) as run:
        plan = plan_clean(run.lake, run.config.settings)
        cleaned, orders = clean_files(run, plan)
        merged = merge_orders(run, plan, orders)
        findings = compare_invoices(run, plan, merged, cleaned)
        manifest = plan.manifest(cleaned, merged, findings, run.execution)
        run.report(manifest.stages["clean"])
        commit_manifest(run.lake, plan.stage, manifest)


if __name__ == "__main__":
    main()
