"""The complete pass of reading: all spellings, and what is wrong with a line."""

import polars as pl

from include.landing.evidence import OTHER_HEADER
from include.landing.fields import fields, unquoted
from include.landing.formats import Format, Header, fitting_header
from include.landing.line_values import (
    EVIDENCE,
    NO_BREAK_SPACE,
    ReadingRules,
    finished,
    with_dates_and_ids,
    with_proofs_of_prices,
)
from include.landing.outcomes import LARGEST_QUANTITY, NUMBERS, QUANTITY, numbers_of, reason
from include.landing.rows import LANDED, filled_down, landed_text
from include.landing.values import currency, scaled_numbers


def complete_pass(found: pl.DataFrame, form: Format, rules: ReadingRules) -> pl.DataFrame:
    """All records, typed or rejected with a reason."""
    header = form.header
    if header is None:
        empty = [pl.lit(None, pl.String).alias(name) for name in [*LANDED, *EVIDENCE]]
        unread = found.with_columns(empty).with_columns(pl.col("invoice_date").cast(pl.Datetime("us")))
        return finished(
            unread.with_columns(has_fields=pl.lit(value=False)).with_columns(
                reason=reason(form, rules.landing)
            ),
            None,
        )
    spaced = found.get_column("raw").str.replace_all(NO_BREAK_SPACE, " ", literal=True)
    text = found.hstack(landed_text(fields(spaced, form), header).select(unquoted(pl.all())))
    text = text.with_columns(has_fields=pl.col("invoice_no").is_not_null())
    text = filled_down(text) if header.shop.fill_down else text
    values = with_dates_and_ids(text, form, rules).with_columns(order=with_proofs_of_prices(header))
    has_refund = pl.col("refunded").str.strip_chars() != ""
    values = with_currency(values.with_columns(has_refund=has_refund.fill_null(value=False)), header)
    values = with_other_headers(with_numbers(values, form, header), header, rules)
    reasoned = values.with_columns(reason=reason(form, rules.landing))
    return finished(reasoned.with_columns(as_decimal(name) for name in numbers_of(header)), header)


def with_currency(text: pl.DataFrame, header: Header) -> pl.DataFrame:
    """The same with the currency that is written with the money, where no column has it."""
    money = [name for name in numbers_of(header) if name != "quantity"]
    if "currency" in header.place_of:
        return text
    return text.with_columns(currency=pl.coalesce(currency(pl.col(name)) for name in money))


def with_other_headers(values: pl.DataFrame, header: Header, rules: ReadingRules) -> pl.DataFrame:
    """The same with rows marked as evidence that are a header, but with our columns at other places: exports
    of different kinds were put together. A header has no digits, so few rows are looked at."""
    undated = values.filter(pl.col("invoice_date").is_null()).get_column("raw")
    suspects = undated.filter(~undated.str.contains("[0-9]")).unique()
    others = [
        raw
        for raw in suspects
        if (other := fitting_header(raw, rules.landing.formats)) and other.places != header.places
    ]
    if not others:
        return values
    is_other = pl.col("raw").is_in(others)
    return values.with_columns(order=pl.when(is_other).then(pl.lit(OTHER_HEADER)).otherwise("order"))


def with_numbers(text: pl.DataFrame, form: Format, header: Header) -> pl.DataFrame:
    """The same with the numbers as whole ones, times ten to the power of their scale; and what they are
    evidence of as `marks`."""
    numbers = numbers_of(header)
    read = {
        name: scaled_numbers(text.get_column(name), NUMBERS[name].scale, form.notation.decimals)
        for name in numbers
    }
    values = text.with_columns(found["number"].alias(name) for name, found in read.items())
    if "quantity" in read:
        largest = LARGEST_QUANTITY * 10**QUANTITY.scale
        is_quantity = pl.col("quantity").is_between(-largest, largest, closed="left")
        values = values.with_columns(pl.when(is_quantity).then("quantity"))
    marks = pl.DataFrame([found["mark"].alias(name) for name, found in read.items()])
    return values.hstack(marks.select(marks=pl.concat_str(pl.all(), separator=" ", ignore_nulls=True)))


def as_decimal(name: str) -> pl.Expr:
    """A whole number, times ten to the power of the column's scale, as the decimal."""
    scaled, kind = pl.col(name), NUMBERS[name]
    digits = scaled.abs().cast(pl.String).str.zfill(kind.scale + 1)
    sign = pl.when(scaled < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    whole, decimals = digits.str.head(-kind.scale), digits.str.tail(kind.scale)
    return pl.concat_str([sign, whole, pl.lit("."), decimals]).cast(kind).alias(name)
