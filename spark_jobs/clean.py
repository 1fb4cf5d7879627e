"""clean: the business rules, from ingested lines to cleaned lines and orders.

A purchase line has an all-digit invoice number, a quantity and a unit price above zero; a
cancellation line has an invoice number starting with C. Every line ends in exactly one of kept or
rejected, with the first reason that applies in this order:

    missing_customer        no customer id (guest sales): nobody to segment
    excluded_stock_code     on the configured list
    unknown_invoice_type    neither a purchase nor a cancellation, such as a bad-debt adjustment
    quantity_not_positive   on a purchase invoice
    price_not_positive      on a purchase invoice
    duplicate_line          an exact repeat of a kept line, where `duplicates` is drop

Orders are the kept lines added up per landed file, customer, invoice, date and country: what `rfm`
needs, about one row in twenty. They keep the file, so that a deleted delivery can leave them. A month
of runs leaves a batch of them each; then they are written together.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from include.config import Segmentation
from include.job import Run, counts_by_file, job, log, quick, write_outcomes
from include.lake import NOTHING, Lake, View, batches, read_view
from include.schemas import AMOUNT, CLEANED, INGESTED, LANDED_COLUMNS, ORDERS

MOST_ORDER_BATCHES = 30  # a batch for each run that found new files
MISSING_IDS = ["", "NULL", "NAN", "NONE", "NA", "N/A", "#N/A", "<NA>"]


def customer_id(raw: Column) -> Column:
    """The id as text: `17850.0` is `17850`, blanks and spelled-out nulls are null."""
    trimmed = F.trim(raw)
    zeros = F.endswith(trimmed, F.lit("0")) & trimmed.rlike(r"^\d+\.0+$")
    missing = (F.length(trimmed) <= max(map(len, MISSING_IDS))) & F.upper(trimmed).isin(MISSING_IDS)
    return F.when(~missing, F.when(zeros, F.substring_index(trimmed, ".", 1)).otherwise(trimmed))


def cleaned_lines(ingested: DataFrame, excluded_codes: Collection[str] = ()) -> DataFrame:
    """Every ingested line with its line_type and amount (quantity x unit_price, exact), and the
    reason and outcome of the rules; columns as in schemas.CLEANED. Nothing is left out.
    """
    invoice = F.coalesce("invoice_no", F.lit(""))
    is_cancellation = F.substring(invoice, 1, 1).isin("C", "c")
    line_type = F.when(invoice.rlike("^[0-9]+$"), "purchase").when(is_cancellation, "cancellation")
    is_purchase = F.col("line_type") == "purchase"
    excluded = F.upper(F.trim("stock_code")).isin(sorted(excluded_codes)) if excluded_codes else F.lit(False)

    reason = (
        F.when(F.col("customer_id").isNull(), "missing_customer")
        .when(F.coalesce(excluded, F.lit(False)), "excluded_stock_code")
        .when(F.col("line_type").isNull(), "unknown_invoice_type")
        .when(is_purchase & (F.col("quantity") <= 0), "quantity_not_positive")
        .when(is_purchase & (F.col("unit_price") <= 0), "price_not_positive")
    )
    return (
        ingested.withColumns({"customer_id": customer_id(F.col("customer_id")), "line_type": line_type})
        .withColumn("amount", (F.col("quantity") * F.col("unit_price")).cast(AMOUNT))
        .withColumn("reason", reason)
        .withColumn("outcome", outcome())
        .select(*CLEANED.names)
    )


def without_repeats(cleaned: DataFrame) -> DataFrame:
    """The same lines, with every kept line that repeats an earlier one (by file, then line; all
    eight fields equal) rejected as duplicate_line."""
    same_line = Window.partitionBy("outcome", *LANDED_COLUMNS).orderBy("file", "line")
    repeated = (F.col("outcome") == "kept") & (F.row_number().over(same_line) > 1)
    reason = F.when(repeated, "duplicate_line").otherwise(F.col("reason"))
    return cleaned.withColumn("reason", reason).withColumn("outcome", outcome())


def outcome() -> Column:
    return F.when(F.col("reason").isNull(), "kept").otherwise("rejected")


def orders(kept: DataFrame) -> DataFrame:
    """Kept lines added up; one row per file, customer, invoice, date and country, with the number
    of lines and their exact amount (negative for cancellations). Columns as in schemas.ORDERS."""
    return (
        kept.withColumn("order_date", F.col("invoice_date").cast("date"))
        .groupBy("file", "customer_id", "invoice_no", "order_date", "line_type", "country")
        .agg(F.count("*").alias("lines"), F.sum("amount").cast(AMOUNT).alias("amount"))
        .select(*ORDERS.names)
    )


def write_orders(table: DataFrame, folder: Path) -> None:
    quick(table.write, "file", "line_type", "country").parquet(str(folder))


def still_there(cleaned: View, lake: Lake, rules: str) -> dict[str, dict[str, Any]]:
    """The files of the view whose lines and orders are in the lake: what was lost is made again."""
    lines, orders = (
        {batch for batch in batches(view) if (stage / batch).is_dir()}
        for view, stage in ((cleaned, lake.cleaned(rules)), (cleaned["orders"], lake.orders(rules)))
    )
    order_files = cleaned["orders"]["files"]
    return {
        file: entry
        for file, entry in cleaned["files"].items()
        if f"batch={entry['batch']}" in lines and f"batch={order_files[file]['batch']}" in orders
    }


def files_to_clean(ingested: View, known: Mapping[str, dict[str, Any]], settings: Segmentation) -> list[str]:
    """The files whose lines have not been through the rules yet. Dropping repeats compares lines
    across files, so with it any change means all of them."""
    live = {file: entry["batch"] for file, entry in ingested["files"].items()}
    new = [file for file in live if known.get(file, {}).get("ingested_batch") != live[file]]
    if settings.duplicates == "drop" and (new or live.keys() != known.keys()):
        return list(live)
    return new


def orders_together(run: Run, stage: Path, view: View) -> View:
    """The same orders written as one batch, when they lie in so many that `rfm` would spend its time
    on opening files."""
    if len(batches(view)) <= MOST_ORDER_BATCHES:
        return view
    folder = run.attempt / "orders together"
    write_orders(run.read_batches(stage, view, ORDERS), folder)
    batch = run.lake.commit_batch(folder, stage)
    log.info("clean  orders of %d files are in one batch again", len(view["files"]))
    return {"files": {file: {"batch": batch} for file in view["files"]}, "sizes": {batch: len(view["files"])}}


def main(argv: Sequence[str] | None = None) -> None:
    with job("clean", __doc__, argv) as run:
        settings = run.config.settings
        ingested_stage = run.lake.ingested(settings.ingest_rules)
        stage = run.lake.cleaned(settings.clean_rules)
        ingested = read_view(ingested_stage) or NOTHING
        order_batches = run.lake.orders(settings.clean_rules)
        current = read_view(stage) or NOTHING | {"orders": NOTHING}
        known = still_there(current, run.lake, settings.clean_rules)
        sizes = dict(current["sizes"])
        order_files, order_sizes = dict(current["orders"]["files"]), dict(current["orders"]["sizes"])
        new = files_to_clean(ingested, known, settings)
        if new:
            part = ingested | {"files": {file: ingested["files"][file] for file in new}}
            lines = cleaned_lines(
                run.read_batches(ingested_stage, part, INGESTED, "kept"), settings.excluded_codes
            )
            if settings.duplicates == "drop":
                lines = without_repeats(lines)
            # A kept line's text is in `ingested`, and half of all there would be to write.
            lines = lines.withColumn("raw", F.when(F.col("outcome") == "rejected", F.col("raw")))
            folder = run.attempt / "cleaned"
            write_outcomes(lines, folder)
            written = run.spark.read.schema(CLEANED).parquet(str(folder))
            write_orders(orders(written.where("outcome = 'kept'")), run.attempt / "orders")
            counts = counts_by_file(written)
            batch = run.lake.commit_batch(folder, stage)
            order_batch = run.lake.commit_batch(run.attempt / "orders", order_batches)
            sizes[batch] = order_sizes[order_batch] = len(new)
            for file in new:
                order_files[file] = {"batch": order_batch}
                known[file] = {
                    "batch": batch,
                    "ingested_batch": ingested["files"][file]["batch"],
                    "kept": counts.get(file, {}).pop("kept", 0),
                    "rejects": counts.get(file, {}),
                }

        files = {file: known[file] for file in ingested["files"]}
        rejects: Counter[str] = Counter()
        for entry in files.values():
            rejects.update(entry["rejects"])
        rows_in = sum(ingested["files"][file]["kept"] for file in files)
        kept = sum(entry["kept"] for entry in files.values())
        record = run.record(rows_in, kept, dict(sorted(rejects.items())), files_cleaned=len(new))
        order_view = {"files": {file: order_files[file] for file in files}, "sizes": order_sizes}
        view = {
            "listing": ingested["listing"],
            "files": files,
            "sizes": sizes,
            "orders": orders_together(run, order_batches, order_view),
            "stages": ingested["stages"] | {"clean": record},
            "ingested": {"files": ingested["files"], "sizes": ingested["sizes"]},
        }
        run.lake.commit_view(stage, view)


if __name__ == "__main__":
    main()
