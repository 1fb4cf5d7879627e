"""What both passes of reading do: rules, dates, ids and invoice numbers, and the finished line."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from include.landing.customer_ids import customer_ids
from include.landing.dates import date_times
from include.landing.evidence import LINE_PRICE, UNIT_PRICE
from include.landing.formats import Format, Header
from include.landing.line_types import CANCELLATION, PURCHASE
from include.landing.outcomes import MONEY, NUMBERS, has_value, line_type, numbers_of, outcome
from include.landing.rows import TOLD
from include.settings import Landing, Segmentation
from include.shop_formats import ANY_INVOICE

NO_BREAK_SPACE = "\u00a0"
WHOLE_INVOICE = r"^[=']*\"?([0-9]+)(?:\.0)?\"?$"  # as Excel and pandas write one: ="5001", 5001.0
ONE_PIECE = r"^[-(]?1(?:[.,]0*)?[-)]?$"
TYPED = [
    *["file", "part", "line", "raw", "invoice_no", "stock_code", "description", "quantity", "invoice_date"],
    *["unit_price", "amount", "refunded", "customer_id", "country", "reason", "outcome", "line_type"],
]
EVIDENCE = ["order", "marks"]  # what the date proves, and what the numbers do: words with a blank between


@dataclass(frozen=True)
class ReadingRules:
    """The configuration of reading."""

    landing: Landing
    time_zone: str
    guest_ids: tuple[str, ...]

    @classmethod
    def of(cls, settings: Segmentation) -> "ReadingRules":
        return cls(settings.landing, settings.time_zone, tuple(settings.guest_ids))


def with_dates_and_ids(text: pl.DataFrame, form: Format, rules: ReadingRules) -> pl.DataFrame:
    """The same with the columns typed that both passes read alike, and what a date is evidence of as `order`.
    Each of their values is there for many lines, and read once."""

    def dates(texts: pl.Series) -> pl.Series:
        patterns = form.header.shop.date_patterns if form.header else ()
        order = form.notation.date_order
        return date_times(texts.str.strip_chars(" "), order, patterns, rules.time_zone).to_struct("date")

    def ids(texts: pl.Series) -> pl.Series:
        return customer_ids(texts, rules.guest_ids)

    number = text.get_column("invoice_no").str.strip_chars(" ")
    if form.header and form.header.shop.purchase_invoices == ANY_INVOICE:
        number = whole_invoices(number)
    date = read_once_each(text.get_column("invoice_date"), dates)
    customer = read_once_each(text.get_column("customer_id"), ids)
    return text.with_columns(
        invoice_no=number,
        invoice_date=date.struct.field("time"),
        order=date.struct.field("order"),
        customer_id=customer.struct.field("id"),
        has_damaged_id=customer.struct.field("is_damaged").fill_null(value=False),
    )


def whole_invoices(numbers: pl.Series) -> pl.Series:
    """The numbers as they were before Excel or pandas wrote them. Most exports have none of these, which is
    seen in a tenth of the time."""
    marked = numbers.str.ends_with(".0") | numbers.str.starts_with("=") | numbers.str.starts_with("'")
    return numbers.str.replace(WHOLE_INVOICE, "$1") if marked.any() else numbers


def with_proofs_of_prices(header: Header) -> pl.Expr:
    """What a line is evidence of as `order`, with what its price is: that of a piece, or that of the line. It
    shows where the line has its amount too."""
    if not {"quantity", "unit_price", "amount"} <= header.place_of.keys():
        return pl.col("order")
    quantity, price, amount = (
        pl.col(name).str.strip_chars(" ") for name in ("quantity", "unit_price", "amount")
    )
    several = ~quantity.str.contains(ONE_PIECE) & price.str.contains("[1-9]") & amount.str.contains("[1-9]")
    proof = (
        pl.when(several & (price == amount)).then(pl.lit(LINE_PRICE)).when(several).then(pl.lit(UNIT_PRICE))
    )
    return pl.concat_str("order", proof, separator=" ", ignore_nulls=True)


def read_once_each(texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """What `read` makes of each text, asked once for those that are there many times."""
    different = texts.unique().drop_nulls()
    values = pl.DataFrame({"text": different, "value": read(different)})
    return texts.to_frame("text").join(values, on="text", how="left", maintain_order="left").to_series(1)


def finished(values: pl.DataFrame, header: Header | None) -> pl.DataFrame:
    """The lines with outcome, line type and evidence, as typed_lines gives them."""
    unused = [name for name in NUMBERS if header is None or name not in numbers_of(header)]
    lines = values.with_columns(pl.lit(None, NUMBERS[name]).alias(name) for name in unused)
    lines = lines.with_columns(refunds(header)).with_columns(line_type=line_type(header), outcome=outcome())
    is_order = pl.col("line_type").is_in([PURCHASE, CANCELLATION])
    kept = lines.with_columns(
        pl.when(~is_order).then(pl.col("raw")).alias("raw"),
        invoice_key(header),
    )
    told = [name for name in values.columns if name.startswith(TOLD)]
    return kept.select(*TYPED, *EVIDENCE, "currency", *told)


def refunds(header: Header | None) -> pl.Expr:
    """What was given back of a line: the landed refund, or all of a line whose order was refunded."""
    refunded = pl.col("refunded")
    if header is None or not header.shop.only or "refunded" in header.place_of:
        return refunded
    whole = pl.col("amount")
    if "unit_price" in numbers_of(header):
        whole = (pl.col("quantity") * pl.col("unit_price")).cast(MONEY, strict=False)
    return pl.when(has_value("only", header.shop.only.refunded)).then(whole).alias("refunded")


def invoice_key(header: Header | None) -> pl.Expr:
    """The invoice number; with its day before it, where a till starts again at 1."""
    number = pl.col("invoice_no")
    if header is None or header.shop.invoice_is == "number":
        return number
    return pl.concat_str(pl.col("invoice_date").dt.date().cast(pl.String), pl.lit("/"), number).alias(
        "invoice_no"
    )
