"""What becomes of a line that was read: why it cannot be typed, or what type of line it is.

A line that cannot be typed is rejected with its text and the first reason that applies:

    file_damaged               a compressed file breaks off here
    no_header                  no line of the file is the header of orders
    cut_off                    the last line, without the line end that the others have
    zero_byte                  in the line: the file is no text, or damaged
    repeated_header            the header again, as where files were put together
    total_row                  a row of totals: its first cell says so, and it has no date
    wrong_number_of_fields     fewer or more than in the header, or quotes that do not close
    order_not_counted          the format's `only` leaves such orders out
    quantity_unreadable        not a number below 2^31 with at most three decimals
    unit_price_unreadable      not a number, or beyond DECIMAL(18,4): nothing is rounded
    amount_unreadable          the same, where the format has amounts
    refunded_unreadable        the same
    amount_out_of_range        a trillion or more, such as a barcode as price
    invoice_date_unreadable    no date (dates.py)
    invoice_date_out_of_range  before earliest_date or after latest_date
    customer_id_damaged        scientific notation that does not show every digit (customer_ids.py)
"""

from collections.abc import Sequence
from datetime import datetime, time

import polars as pl

from include.landing.formats import Format, Header
from include.landing.line_types import (
    CANCELLATION,
    KEPT,
    MISSING_CUSTOMER,
    NO_AMOUNT,
    NO_PRICE,
    NO_QUANTITY,
    PURCHASE,
    REJECTED,
    UNKNOWN_INVOICE,
    UNREADABLE,
)
from include.landing.rows import is_repeated_header, is_total
from include.settings import Landing
from include.shop_formats import ANY_INVOICE, ShopFormat

QUANTITY, MONEY = pl.Decimal(13, 3), pl.Decimal(18, 4)
# The columns with numbers. A line without a refund has no number there.
NUMBERS = {"quantity": QUANTITY, "unit_price": MONEY, "amount": MONEY, "refunded": MONEY}
# What is no invoice number, where a format takes any: spellings of none, and numbers that have lost digits.
NO_INVOICE = (
    r"^(?:(?i:nan|null|\(null\)|none|n/a|#n/a|<na>|\\N|-)"
    r"|[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}|#+|#[A-Z/0]+[!?])$"
)
LARGEST_AMOUNT = 10**12  # no line reaches it, so the sums of customers stay within schemas.MONEY
LARGEST_QUANTITY = 2**31


def numbers_of(header: Header) -> list[str]:
    """The columns with numbers that decide. Where a line has a unit price, its amount does not."""
    has = header.place_of
    unused = "amount" if "quantity" in has and "unit_price" in has else "unit_price"
    return [name for name in NUMBERS if name in has and name != unused]


def reason(form: Format, landing: Landing) -> pl.Expr:
    """Why a line cannot be typed, or null. The numbers are whole ones: times ten to the power of their
    scale."""
    first: Sequence[tuple[pl.Expr, str]] = [
        (pl.col("damaged"), "file_damaged"),
        (pl.lit(form.header is None), "no_header"),
        (pl.col("cut_off"), "cut_off"),
        (pl.col("raw").str.contains("\0", literal=True), "zero_byte"),
    ]
    conditions = [*first, *(reasons_of_values(form.header, landing) if form.header else [])]
    return pl.coalesce(pl.when(condition).then(pl.lit(name)) for condition, name in conditions)


def reasons_of_values(header: Header, landing: Landing) -> list[tuple[pl.Expr, str]]:
    numbers = numbers_of(header)
    unreadable = [(pl.col(name).is_null(), f"{name}_unreadable") for name in numbers if name != "refunded"]
    if "refunded" in numbers:
        unreadable.append((pl.col("refunded").is_null() & pl.col("has_refund"), "refunded_unreadable"))
    return [
        (is_repeated_header(header), "repeated_header"),
        (is_total(header), "total_row"),
        (~pl.col("has_fields"), "wrong_number_of_fields"),
        (~is_counted(header), "order_not_counted"),
        *unreadable,
        (is_too_large(numbers), "amount_out_of_range"),
        (pl.col("invoice_date").is_null(), "invoice_date_unreadable"),
        (~is_plausible(landing), "invoice_date_out_of_range"),
        (pl.col("has_damaged_id"), "customer_id_damaged"),
    ]


def is_counted(header: Header) -> pl.Expr:
    """Whether a line's order counts at all, by the format's `only`."""
    return has_value("only", header.shop.only.values) if header.shop.only else pl.lit(value=True)


def has_value(column: str, values: Sequence[str]) -> pl.Expr:
    known = [value.strip().lower() for value in values]
    return pl.col(column).str.strip_chars().str.to_lowercase().is_in(known).fill_null(value=False)


def is_too_large(numbers: Sequence[str]) -> pl.Expr:
    if "unit_price" not in numbers:
        return pl.col("amount").abs().ge(LARGEST_AMOUNT * 10**MONEY.scale)
    quantity, price = (pl.col(name).cast(pl.Int128).abs() for name in ("quantity", "unit_price"))
    smallest_too_large = pl.lit(LARGEST_AMOUNT * 10 ** (QUANTITY.scale + MONEY.scale), pl.Int128)
    is_large: pl.Expr = quantity * price >= smallest_too_large
    return is_large


def is_plausible(landing: Landing) -> pl.Expr:
    first, last = (
        datetime.combine(day, at)
        for day, at in ((landing.earliest_date, time.min), (landing.latest_date, time.max))
    )
    return pl.col("invoice_date").is_between(pl.lit(first), pl.lit(last))


# -- line types ---------------------------------------------------------------------------------


def line_type(header: Header | None) -> pl.Expr:
    """The type of a line, with numbers as decimals. A line that fails twice has the more specific reason: an
    invoice of no known kind is one for guests too."""
    if header is None:
        return pl.lit(UNREADABLE)
    is_cancellation = is_whole(header.shop.cancellation_invoices)
    is_purchase = is_whole(header.shop.purchase_invoices)
    return (
        pl.when(pl.col("reason").is_not_null())
        .then(pl.lit(UNREADABLE))
        .when(~is_cancellation & ~is_purchase)
        .then(pl.lit(UNKNOWN_INVOICE))
        .when(pl.col("customer_id").is_null())
        .then(pl.lit(MISSING_CUSTOMER))
        .when(is_cancellation)
        .then(pl.lit(CANCELLATION))
        .otherwise(type_of_purchase_invoice(header))
    )


def is_whole(pattern: str | None) -> pl.Expr:
    """Whether the invoice number as a whole is of a pattern."""
    if pattern is None:
        return pl.lit(value=False)
    number = pl.col("invoice_no")
    is_known = number.str.contains(rf"^(?:{pattern})$").fill_null(value=False)
    return is_known & ~number.str.contains(NO_INVOICE) if pattern == ANY_INVOICE else is_known


def type_of_purchase_invoice(header: Header) -> pl.Expr:
    """Of a line on a purchase invoice, by the signs of its numbers."""
    shop = header.shop
    if "unit_price" not in numbers_of(header):
        return by_sign(pl.col("amount"), shop, NO_AMOUNT)
    quantity, price = pl.col("quantity"), pl.col("unit_price")
    if shop.negative_quantity == "reject":
        other = pl.when(quantity <= 0).then(pl.lit(NO_QUANTITY)).otherwise(pl.lit(NO_PRICE))
        return pl.when((quantity > 0) & (price > 0)).then(pl.lit(PURCHASE)).otherwise(other)
    return pl.when(price <= 0).then(pl.lit(NO_PRICE)).otherwise(by_sign(quantity, shop, NO_QUANTITY))


def by_sign(number: pl.Expr, shop: ShopFormat, nothing: str) -> pl.Expr:
    below_zero = CANCELLATION if shop.negative_quantity == "return" else nothing
    return (
        pl.when(number > 0)
        .then(pl.lit(PURCHASE))
        .when(number < 0)
        .then(pl.lit(below_zero))
        .otherwise(pl.lit(nothing))
    )


def outcome() -> pl.Expr:
    return pl.when(pl.col("reason").is_null()).then(pl.lit(KEPT)).otherwise(pl.lit(REJECTED))
