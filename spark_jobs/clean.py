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

What kind a line is `ingest` has told, and lies in a folder by it: lines of which a whole kind is kept or
rejected are linked rather than written again, unless a configured rule looks at each of them, or their
batch has lines that do not count: of a file replaced since, or read again record by record.

Orders are the kept lines added up per landed file, customer, invoice, date and country: what `rfm`
needs, about one row in twenty. They keep the file, so that a deleted delivery can leave them. A month
of runs leaves a batch of them each; then they are written together.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType

from include.lake.commit import NOTHING, Lake, View, batches, files_to_clean, link_files, read_view
from include.spark.job import (
    Run,
    job,
    line_amount,
    log,
    reject_reason,
    with_dictionaries_for,
    write_lines,
)
from include.spark.schemas import (
    AMOUNT,
    CANCELLATION,
    LANDED_COLUMNS,
    LINES,
    MISSING_CUSTOMER,
    ORDERS,
    PURCHASE,
    PURCHASE_INVOICE,
    UNIT,
)

MOST_ORDER_BATCHES = 30  # a batch for each run that found new files
# What becomes of a kind of lines where nothing else is configured.
LINKED = {PURCHASE: "kept", CANCELLATION: "kept", MISSING_CUSTOMER: "rejected"}


def cleaned_lines(ingested: DataFrame, excluded_codes: Collection[str] = ()) -> DataFrame:
    """Every ingested line with the reason and outcome of the rules; columns as in schemas.LINES.
    Nothing is left out."""
    kind = F.col("kind")
    excluded = F.upper(F.trim("stock_code")).isin(sorted(excluded_codes)) if excluded_codes else F.lit(False)
    reason = (
        F.when(kind == MISSING_CUSTOMER, MISSING_CUSTOMER)
        .when(F.coalesce(excluded, F.lit(False)), "excluded_stock_code")
        .when(kind.isin(PURCHASE, CANCELLATION), None)
        .when(~F.coalesce("invoice_no", F.lit("")).rlike(PURCHASE_INVOICE), "unknown_invoice_type")
        .when(F.col("quantity") <= 0, "quantity_not_positive")
        .otherwise("price_not_positive")
    )
    return ingested.withColumn("reason", reason).withColumn("outcome", outcome()).select(*LINES.names)


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
    day, line_type = F.col("invoice_date").cast("date"), F.col("kind")
    return (
        kept.withColumns({"order_date": day, "line_type": line_type, "amount": line_amount()})
        .groupBy("file", "customer_id", "invoice_no", "order_date", "line_type", "country")
        .agg(F.count("*").alias("lines"), F.sum("amount").cast(AMOUNT).alias("amount"))
        .withColumn("units", units(F.col("amount")))
        .select(*ORDERS.names)
    )


def units(amount: Column) -> Column:
    """The amount as a whole number of schemas.UNIT; null where it is a billion or more, either way."""
    digits = 9
    small = F.when(F.abs(amount) < 10**digits, amount).cast(DecimalType(digits + AMOUNT.scale, AMOUNT.scale))
    return (small * int(1 / UNIT)).cast("long")


def write_cleaned(run: Run, stage: Path, ingested: View, folder: Path) -> None:
    """Write the lines of a view with their outcomes.

    Kept lines are what ingest has written, and to write them once more would be half of the work: where
    no rule looks into the lines of a kind, and all files of a batch count, its files are linked.
    """
    settings = run.config.settings
    looks_at_lines = settings.excluded_codes or settings.duplicates == "drop"
    linked = set() if looks_at_lines else whole_batches(ingested)
    parts = []
    if linked:
        lines = run.read_batches(stage, files_of(ingested, linked), LINES, "kept")
        parts.append(lines.where(~F.col("kind").isin(*LINKED)))
    if others := batches(ingested) - linked:
        parts.append(run.read_batches(stage, files_of(ingested, others), LINES, "kept"))
    cleaned = cleaned_lines(reduce(DataFrame.unionByName, parts), settings.excluded_codes)
    if settings.duplicates == "drop":
        cleaned = without_repeats(cleaned)
    # A kept line's text is in `ingested`, and half of all there would be to write.
    write_lines(cleaned.withColumn("raw", F.when(F.col("outcome") == "rejected", F.col("raw"))), folder)
    for batch in linked:
        for kind, becomes in LINKED.items():
            of_kind = stage / batch / "outcome=kept" / f"kind={kind}"
            if of_kind.exists():
                link_files(of_kind, folder / f"outcome={becomes}" / f"kind={kind}")


def whole_batches(view: View) -> set[str]:
    """The batches of which every file is in the view; in others there are lines that do not count."""
    live = Counter(entry["batch"] for entry in view["files"].values())
    return {f"batch={batch}" for batch, files in live.items() if files == view["sizes"][batch]}


def files_of(view: View, some: Collection[str]) -> View:
    """The view of the files in some of its batches only."""
    files = {name: entry for name, entry in view["files"].items() if f"batch={entry['batch']}" in some}
    return view | {"files": files}


def write_orders(table: DataFrame, folder: Path) -> None:
    with_dictionaries_for(table.write, "file", "line_type", "country").parquet(str(folder))


def counts_by_file(
    files: Collection[str], orders: DataFrame, rejected: DataFrame
) -> dict[str, dict[str, Any]]:
    """Of each file the lines `kept`, as the orders add up to; the `rejects` by reason; the `countries`
    of its orders; and whether an amount of theirs is too `large` for units."""
    no_text = F.lit(None).cast("string")
    no_units = F.isnull("units").alias("large")
    kept = orders.select("file", "country", no_text.alias("reason"), "lines", no_units)
    one = F.lit(1).cast("long").alias("lines")
    rejects = rejected.select(
        "file", no_text.alias("country"), reject_reason(), one, F.lit(False).alias("large")
    )
    both = kept.unionByName(rejects)
    counted = both.groupBy("file", "country", "reason").agg(F.sum("lines"), F.max("large"))
    counts: dict[str, dict[str, Any]] = {
        file: {"kept": 0, "rejects": {}, "countries": [], "large": False} for file in files
    }
    for file, country, reason, lines, large in counted.collect():  # a few rows per landed file
        if reason:
            counts[file]["rejects"][reason] = lines
            continue
        counts[file]["kept"] += lines
        counts[file]["large"] |= large
        if country is not None:
            counts[file]["countries"].append(country)
    return counts


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
        new = files_to_clean(ingested["files"], known, drop_repeats=settings.duplicates == "drop")
        if new:
            part = ingested | {"files": {file: ingested["files"][file] for file in new}}
            folder = run.attempt / "cleaned"
            write_cleaned(run, ingested_stage, part, folder)
            batch = run.lake.commit_batch(folder, stage)
            sizes[batch] = len(new)
            written = {"files": {file: {"batch": batch} for file in new}, "sizes": sizes}
            lines = run.read_batches(stage, written, LINES)
            write_orders(orders(lines.where("outcome = 'kept'")), run.attempt / "orders")
            written_orders = run.spark.read.schema(ORDERS).parquet(str(run.attempt / "orders"))
            counts = counts_by_file(new, written_orders, lines.where("outcome = 'rejected'"))
            order_batch = run.lake.commit_batch(run.attempt / "orders", order_batches)
            order_sizes[order_batch] = len(new)
            for file in new:
                order_files[file] = {"batch": order_batch}
                known[file] = {
                    "batch": batch,
                    "ingested_batch": ingested["files"][file]["batch"],
                    **counts[file],
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
