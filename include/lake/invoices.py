"""What is doubtful about invoices: an order that several files have, a number for several customers or days.

Orders are read here without Spark, some millions at a time. On a usual day only the invoices of the new files
are looked for among all orders, which takes less than Spark needs to plan it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from include.errors import OutdatedError
from include.lake.deliveries import Delivery, shop_folder
from include.lake.manifest import BatchedFiles, FileEntry, InvoiceExample, InvoiceFinding
from include.lake.paths import batch_folder
from include.landing.line_types import CANCELLATION, LINE_TYPE_FOLDER, PURCHASE

INVOICE = ["shop_format", "invoice_no"]
FAR_APART_DAYS = 31  # one order may be sent in parts, over some weeks
ORDERS = dict.fromkeys(["file", "part", "customer_id", "invoice_no"], pl.String()) | {
    "order_date": pl.Date(),
    "lines": pl.Int64(),
}
PRODUCTS = dict.fromkeys(["file", "part", "invoice_no", "product"], pl.String())
Lines = Callable[[], pl.LazyFrame]
SAMPLE = 1000  # repeated invoices of a file; they are repeated for the same cause
ORDERS_AT_ONCE = 4_000_000  # about 400 MB


def scan_orders(stage: Path, orders: BatchedFiles[FileEntry]) -> pl.LazyFrame:
    """The orders of these files. Raises OutdatedError when a batch is gone."""
    if lost := sorted(orders.lost_batches(stage)):
        raise OutdatedError(f"{batch_folder(stage, lost[0])} is gone", clear_from="ingest")
    batches = [
        scan_folder(batch_folder(stage, batch)).filter(
            pl.col("file").is_in(list(orders.in_batches({batch}).files))
        )
        for batch in sorted(orders.batches)
    ]
    return pl.concat(batches)


def scan_lines(stage: Path, cleaned: BatchedFiles[FileEntry]) -> pl.LazyFrame:
    """The lines of these files that sell or take back, and of each what it is of."""
    types = [f"outcome=*/{LINE_TYPE_FOLDER}={line_type}/*.parquet" for line_type in (PURCHASE, CANCELLATION)]
    batches = [pl.LazyFrame(schema=PRODUCTS)]
    for batch in sorted(cleaned.batches):
        folder, names = batch_folder(stage, batch), list(cleaned.in_batches({batch}).files)
        if files := [path for pattern in types for path in sorted(folder.glob(pattern))]:
            lines = pl.scan_parquet(files, hive_partitioning=False).filter(pl.col("file").is_in(names))
            product = pl.coalesce("stock_code", "description", pl.lit("")).alias("product")
            batches.append(lines.with_columns(product).select(*PRODUCTS))
    return pl.concat(batches)


def scan_folder(folder: Path) -> pl.LazyFrame:
    """The orders in a folder. One without orders has no files."""
    files = sorted(folder.glob("*.parquet"))
    orders = pl.scan_parquet(files, hive_partitioning=False) if files else pl.LazyFrame(schema=ORDERS)
    return orders.select(*ORDERS)


def invoice_findings(
    orders: pl.LazyFrame, lines: Lines, deliveries: Sequence[Delivery], asked: Collection[str]
) -> dict[str, list[InvoiceFinding]]:
    """What is doubtful about the invoices of the asked files, compared with all files that are older. Lines
    are read only where invoices are in several deliveries."""
    rows = numbered(orders, deliveries, asked)
    if len(asked) < len({delivery.file for delivery in deliveries}):
        numbers = orders.filter(pl.col("file").is_in(list(asked))).select("invoice_no").unique().collect()
        rows = rows.filter(pl.col("invoice_no").is_in(numbers["invoice_no"].implode()))
    doubts = pl.concat(with_doubt(held) for held in doubtful(rows)).filter("is_asked")
    repeated = doubts.filter(pl.col("what") == "repeated").group_by("file", maintain_order=True).head(SAMPLE)
    alike = (
        with_the_same_products(repeated, numbered(lines(), deliveries, asked)) if len(repeated) else repeated
    )
    found = dict[str, list[InvoiceFinding]]()
    for row in added_up(doubts, alike).iter_rows(named=True):  # a few per landed file
        found.setdefault(row["file"], []).append(finding(row))
    if len({delivery.shop_format for delivery in deliveries}) > 1:
        for row in in_two_formats(rows).iter_rows(named=True):
            found.setdefault(row["file"], []).append(finding(row))
    return found


def numbered(orders: pl.LazyFrame, deliveries: Sequence[Delivery], asked: Collection[str]) -> pl.LazyFrame:
    """Orders with their invoice, the number of their delivery (a newer one has a higher number), and whether
    their file is one of `asked`."""
    names = frozenset(asked)
    described = [
        (d.file, d.part, number, d.in_words, shop_folder(d.file), d.file in names, d.shop_format)
        for number, d in enumerate(deliveries)
    ]
    columns = ["file", "part", "delivery", "in_words", "folder", "is_asked", "shop_format"]
    types = [pl.String, pl.String, pl.Int32, pl.String, pl.String, pl.Boolean, pl.String]
    table = pl.LazyFrame(described, dict(zip(columns, types, strict=True)), orient="row")
    return orders.join(table, on=["file", "part"], nulls_equal=True)


def in_two_formats(rows: pl.LazyFrame) -> pl.DataFrame:
    """Orders that files of two formats have: totals and lines of the same shop. By file, as from added_up."""
    order, before = ["invoice_no", "customer_id", "order_date"], ["shop_format", "in_words", "folder"]
    several = rows.group_by(order).agg(pl.col("shop_format").n_unique().alias("formats"))
    held = rows.join(several.filter(pl.col("formats") > 1), on=order, how="semi").collect()
    compared = held.sort(*order, "delivery").with_columns(
        pl.col(name).shift().over(order).alias(f"older_{name}") for name in before
    )
    twice = compared.filter("is_asked", pl.col("shop_format") != pl.col("older_shop_format"))
    return twice.group_by("file", "older_folder", maintain_order=True).agg(
        what=pl.lit("other_format"),
        invoices=pl.struct(order).n_unique(),
        lines=pl.col("lines").sum(),
        alike=pl.lit(0),
        invoice_no=pl.col("invoice_no").first(),
        older_in_words=pl.col("older_in_words").first(),
        in_words=pl.col("in_words").first(),
        one=pl.col("customer_id").first(),
        other=pl.col("customer_id").first(),
        first_day=pl.col("order_date").first(),
        last_day=pl.col("order_date").first(),
    )


def doubtful(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """What each delivery has of each invoice with several deliveries or customers, or on days far apart; some
    millions of orders at a time."""
    passes = rows.select(pl.len()).collect().item() // ORDERS_AT_ONCE + 1
    for number in range(passes):
        some = rows.filter(pl.col("invoice_no").hash() % passes == number) if passes > 1 else rows
        customer = pl.col("customer_id").hash()
        several = [name.min() < name.max() for name in (pl.col("delivery"), customer)]
        days = pl.col("order_date")
        far = days.max() - days.min() > pl.duration(days=FAR_APART_DAYS)
        is_doubtful = pl.any_horizontal(*several, far).alias("is_doubtful")
        invoices = some.group_by(INVOICE).agg(is_doubtful).filter("is_doubtful")
        yield (
            some.join(invoices, on=INVOICE, how="semi")
            .group_by(*INVOICE, "delivery", "file", "in_words", "folder", "is_asked")
            .agg(
                pl.col("lines").sum(),
                *[pl.col("customer_id").min().alias("one"), pl.col("customer_id").max().alias("other")],
                *[days.min().alias("first_day"), days.max().alias("last_day")],
            )
            .collect()
        )


def with_doubt(held: pl.DataFrame) -> pl.DataFrame:
    """What is doubtful about an invoice, up to each of its deliveries. Only one thing is said of each."""
    before = ("in_words", "folder", "delivery")
    compared = held.sort(*INVOICE, "delivery").with_columns(
        *[pl.col(name).shift().over(INVOICE).alias(f"older_{name}") for name in before],
        *[pl.col(name).cum_min().over(INVOICE) for name in ("one", "first_day")],
        *[pl.col(name).cum_max().over(INVOICE) for name in ("other", "last_day")],
    )
    is_repeated = pl.col("older_in_words").is_not_null()
    has_several_customers = pl.col("one") < pl.col("other")
    far_apart = pl.col("last_day") - pl.col("first_day") > pl.duration(days=FAR_APART_DAYS)
    what = (
        pl.when(is_repeated & has_several_customers & (pl.col("folder") != pl.col("older_folder")))
        .then(pl.lit("other_folder"))
        .when(far_apart)
        .then(pl.lit("far_apart"))
        .when(has_several_customers)
        .then(pl.lit("several_customers"))
        .when(is_repeated)
        .then(pl.lit("repeated"))
    )
    doubts = compared.with_columns(what=what).filter(pl.col("what").is_not_null())
    return doubts.with_columns(is_first=pl.int_range(pl.len()).over(*INVOICE, "what") == 0)


def with_the_same_products(repeated: pl.DataFrame, lines: pl.LazyFrame) -> pl.DataFrame:
    """The repeated invoices with a product that the delivery before has, too. The others go on where it ends,
    as where an export is cut into files of equal size."""
    numbers = repeated.get_column("invoice_no").unique().implode()
    of_invoices = lines.filter(pl.col("invoice_no").is_in(numbers))
    products = of_invoices.select(*INVOICE, "delivery", "product").unique().collect()
    before = products.rename({"delivery": "older_delivery"})
    in_both = repeated.join(products, on=[*INVOICE, "delivery"]).join(
        before, on=[*INVOICE, "older_delivery", "product"], how="semi"
    )
    return repeated.join(in_both, on=[*INVOICE, "delivery"], how="semi")


def added_up(doubts: pl.DataFrame, alike: pl.DataFrame) -> pl.DataFrame:
    """Doubts by file, what they are, and the folder of the delivery before; with the first invoice. `alike`
    has those of which a product is in both deliveries."""
    example = ["invoice_no", "older_in_words", "in_words", "one", "other", "first_day", "last_day"]
    keys = ["file", "what", "older_folder"]
    return (
        doubts.sort("invoice_no", "delivery")
        .group_by(keys)
        .agg(
            *[pl.col("is_first").sum().alias("invoices"), pl.col("lines").sum()],
            *[pl.col(name).first() for name in example],
        )
        .join(alike.group_by(keys).len("alike"), on=keys, how="left", nulls_equal=True)
        .with_columns(pl.col("alike").fill_null(0))
        .sort(keys)
    )


def finding(row: dict[str, Any]) -> InvoiceFinding:
    return InvoiceFinding(
        what=row["what"],
        older_folder=row["older_folder"],
        invoices=row["invoices"],
        lines=row["lines"],
        alike=row["alike"],
        example=InvoiceExample(
            invoice_no=row["invoice_no"],
            older_file=row["older_in_words"],
            file=row["in_words"],
            customers=(row["one"], row["other"]),
            days=(row["first_day"], row["last_day"]),
        ),
    )
