"""Reading: a landed file becomes typed lines and rejects. Neither Spark nor Airflow is needed.

Columns are found by the names in the file's header, in any order; other columns are ignored. Numbers are
in English notation (1,234.50 or 1.2345e3), and the customer id 17850.0 is 17850. A line that cannot be
typed is rejected with its text and the first reason that applies:

    file_damaged               a compressed file breaks off here
    no_header                  the file's first line has none of our columns
    zero_byte                  in the line: the file is no text, or damaged
    wrong_number_of_fields     fewer or more than in the header, or quotes that do not close
    quantity_unreadable        not a whole number of at most 32 bits
    unit_price_unreadable      not a number, or beyond DECIMAL(18,4): nothing is rounded
    amount_out_of_range        quantity times unit price is a trillion or more, such as a barcode as price
    invoice_date_unreadable    none of the configured formats
    invoice_date_out_of_range  before earliest_date or after latest_date

Most lines are in the usual spelling and take the fast pass. The complete one reads what that leaves.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time
from functools import partial

import polars as pl

from include.landing.blocks import Block
from include.landing.dates import date_times
from include.landing.fields import fields, plain_fields, unquoted
from include.landing.formats import Format
from include.landing.line_types import (
    CANCELLATION,
    KEPT,
    MISSING_CUSTOMER,
    OTHER,
    PURCHASE,
    PURCHASE_INVOICE,
    REJECTED,
)
from include.landing.records import records, text_of_records
from include.landing.values import customer_ids, scaled_numbers
from include.settings import Landing, Segmentation

NO_BREAK_SPACE = "\u00a0"
USUAL_PRICE = r"^[0-9]{1,7}(\.[0-9]{0,4})?$"
USUAL_QUANTITY = r"^-?[0-9]{1,5}$"
PRICE = pl.Decimal(18, 4)
LARGEST_AMOUNT = 10**12  # no line reaches it, so the sums of customers stay within schemas.MONEY
LARGEST_INTEGER = 2**31
LINES_AT_ONCE = 50_000
LANDED = [
    *["invoice_no", "stock_code", "description", "quantity", "invoice_date", "unit_price", "customer_id"],
    "country",
]
TYPED = ["file", "line", "raw", *LANDED, "reason", "outcome", "line_type"]


@dataclass(frozen=True)
class ReadingRules:
    """The configuration of reading."""

    landing: Landing
    time_zone: str

    @classmethod
    def of(cls, settings: Segmentation) -> "ReadingRules":
        return cls(settings.landing, settings.time_zone)


def typed_lines(blocks: Iterable[Block], rules: ReadingRules) -> Iterator[pl.DataFrame]:
    """The lines of blocks, many at a time: TYPED. Each is there once, with a reason if it is rejected; a kept
    purchase or cancellation has no `raw`. A rejected line keeps whatever could be read."""
    for form, found in records_of_alike_files(blocks):
        yield typed(found, form, rules)


def typed(found: pl.DataFrame, form: Format, rules: ReadingRules) -> pl.DataFrame:
    """Records as typed lines. Raises RuntimeError where some are lost or doubled, whatever the input."""
    if form.width:
        usual, others = fast_pass(found, form, rules)
        lines = usual if others.is_empty() else pl.concat([usual, complete_pass(others, form, rules)])
    else:
        lines = complete_pass(found, form, rules)
    if lines.height != found.height:
        raise RuntimeError(f"{found.height:,} records were read as {lines.height:,} lines")
    return lines


def records_of_alike_files(blocks: Iterable[Block]) -> Iterator[tuple[Format, pl.DataFrame]]:
    """The records of blocks with their file's name, those of small files together."""
    waiting = defaultdict[Format, list[pl.DataFrame]](list)
    lines = Counter[Format]()
    for block in blocks:
        form, name = block.file.format.of_lines, pl.lit(block.file.name).alias("file")
        for found in records(block.file, block.start, block.end, block.first_line):
            waiting[form].append(found.with_columns(name))
            lines[form] += found.height
            if lines[form] >= LINES_AT_ONCE:
                yield form, text_of_records(pl.concat(waiting.pop(form)))
                lines[form] = 0
    for form, parts in waiting.items():
        yield form, text_of_records(pl.concat(parts))


# -- the fast pass ------------------------------------------------------------------------------


def fast_pass(found: pl.DataFrame, form: Format, rules: ReadingRules) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records in the usual spelling, typed; and the others as they are.

    The usual spelling has no quotes, whole numbers in digits, and prices with at most four decimals. The
    complete pass would type these records equally. A test compares the two.
    """
    unusual = pl.any_horizontal(
        pl.col("raw").str.contains(text, literal=True) for text in ('"', NO_BREAK_SPACE, "\0")
    )
    is_usual = found.select(~unusual & ~pl.col("damaged")).to_series()
    usual = found.filter(is_usual)
    text = usual.hstack(landed_text(plain_fields(usual.get_column("raw"), form), form))
    values = with_dates_and_ids(text, rules).with_columns(
        quantity=pl.when(pl.col("quantity").str.contains(USUAL_QUANTITY)).then(
            pl.col("quantity").cast(pl.Int32, strict=False)
        ),
        unit_price=pl.when(pl.col("unit_price").str.contains(USUAL_PRICE)).then(
            pl.col("unit_price").cast(PRICE, strict=False)
        ),
    )
    is_read = values.select(
        pl.col("quantity").is_not_null() & pl.col("unit_price").is_not_null() & is_plausible(rules.landing)
    ).to_series()
    is_kept = is_read.fill_null(value=False)
    left = pl.concat([found.filter(~is_usual), usual.filter(~is_kept)])
    return finished(values.filter(is_kept).with_columns(reason=pl.lit(None, pl.String))), left


# -- the complete pass --------------------------------------------------------------------------


def complete_pass(found: pl.DataFrame, form: Format, rules: ReadingRules) -> pl.DataFrame:
    """All records, typed or rejected with a reason."""
    spaced = found.get_column("raw").str.replace_all(NO_BREAK_SPACE, " ", literal=True)
    cells = fields(spaced, form) if form.width else pl.DataFrame(height=found.height)
    text = found.hstack(landed_text(cells, form).select(unquoted(pl.all())))
    values = with_dates_and_ids(text, rules).with_columns(
        has_fields=pl.col("invoice_no").is_not_null(),
        quantity=scaled_numbers(text.get_column("quantity"), 0),
        scaled_price=scaled_numbers(text.get_column("unit_price"), PRICE.scale),
    )
    is_integer = pl.col("quantity").is_between(-LARGEST_INTEGER, LARGEST_INTEGER - 1)
    in_range = values.with_columns(
        quantity=pl.when(is_integer).then(pl.col("quantity")), unit_price=price_of(pl.col("scaled_price"))
    )
    reasoned = in_range.with_columns(reason=reason(form, rules.landing))
    return finished(reasoned.with_columns(pl.col("quantity").cast(pl.Int32)))


def price_of(scaled: pl.Expr) -> pl.Expr:
    """A number of 1/10,000 as a decimal."""
    digits = scaled.abs().cast(pl.String).str.zfill(PRICE.scale + 1)
    sign = pl.when(scaled < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    whole, decimals = digits.str.head(-PRICE.scale), digits.str.tail(PRICE.scale)
    return pl.concat_str([sign, whole, pl.lit("."), decimals]).cast(PRICE)


def reason(form: Format, landing: Landing) -> pl.Expr:
    """Why a line cannot be typed: the first reason of the module's text that applies, or null."""
    quantity, price = pl.col("quantity").abs(), pl.col("scaled_price").abs()
    smallest_too_large = (LARGEST_AMOUNT * 10**PRICE.scale + quantity - 1) // quantity
    return (
        pl.when(pl.col("damaged"))
        .then(pl.lit("file_damaged"))
        .when(pl.lit(form.width == 0))
        .then(pl.lit("no_header"))
        .when(pl.col("raw").str.contains("\0", literal=True))
        .then(pl.lit("zero_byte"))
        .when(~pl.col("has_fields"))
        .then(pl.lit("wrong_number_of_fields"))
        .when(pl.col("quantity").is_null())
        .then(pl.lit("quantity_unreadable"))
        .when(pl.col("scaled_price").is_null())
        .then(pl.lit("unit_price_unreadable"))
        .when((quantity > 0) & (price >= smallest_too_large))
        .then(pl.lit("amount_out_of_range"))
        .when(pl.col("invoice_date").is_null())
        .then(pl.lit("invoice_date_unreadable"))
        .when(~is_plausible(landing))
        .then(pl.lit("invoice_date_out_of_range"))
    )


# -- what both passes do ------------------------------------------------------------------------


def landed_text(cells: pl.DataFrame, form: Format) -> pl.DataFrame:
    """The columns LANDED as text. All are null where the fields are."""
    if not form.width:
        return pl.DataFrame(schema=dict.fromkeys(LANDED, pl.String)).clear(cells.height)
    return cells.select(
        pl.col(str(place)).alias(name) for name, place in zip(LANDED, form.places, strict=True)
    )


def with_dates_and_ids(text: pl.DataFrame, rules: ReadingRules) -> pl.DataFrame:
    """The same with the columns typed that both passes read alike. Each of their values is there for many
    lines, and read once."""
    return text.with_columns(
        pl.col("invoice_no").str.strip_chars(" "),
        invoice_date=read_once_each(text.get_column("invoice_date"), partial(times, rules=rules)),
        customer_id=read_once_each(text.get_column("customer_id"), customer_ids),
    )


def read_once_each(texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """What `read` makes of each text, asked once for those that are there many times."""
    different = texts.unique().drop_nulls()
    values = pl.DataFrame({"text": different, "value": read(different)})
    return texts.to_frame("text").join(values, on="text", how="left", maintain_order="left").to_series(1)


def times(texts: pl.Series, rules: ReadingRules) -> pl.Series:
    return date_times(texts.str.strip_chars(" "), rules.landing.date_formats, rules.time_zone)


def is_plausible(landing: Landing) -> pl.Expr:
    first, last = (
        datetime.combine(day, at)
        for day, at in ((landing.earliest_date, time.min), (landing.latest_date, time.max))
    )
    return pl.col("invoice_date").is_between(pl.lit(first), pl.lit(last))


def finished(values: pl.DataFrame) -> pl.DataFrame:
    """The lines with outcome and line type, as TYPED."""
    is_kept = pl.col("reason").is_null()
    sold = (
        pl.col("invoice_no").str.contains(PURCHASE_INVOICE)
        & (pl.col("quantity") > 0)
        & (pl.col("unit_price") > 0)
    )
    line_type = (
        pl.when(~is_kept)
        .then(pl.lit(OTHER))
        .when(pl.col("customer_id").is_null())
        .then(pl.lit(MISSING_CUSTOMER))
        .when(sold)
        .then(pl.lit(PURCHASE))
        .when(pl.col("invoice_no").str.slice(0, 1).is_in(["C", "c"]))
        .then(pl.lit(CANCELLATION))
        .otherwise(pl.lit(OTHER))
    )
    outcome = pl.when(is_kept).then(pl.lit(KEPT)).otherwise(pl.lit(REJECTED))
    lines = values.with_columns(outcome=outcome, line_type=line_type)
    decided = pl.col("line_type").is_in([PURCHASE, CANCELLATION])
    return lines.with_columns(raw=pl.when(~decided).then(pl.col("raw"))).select(TYPED)
