"""The cells of a file as columns of ours, and the rows that are no orders: repeated headers and totals."""

import re

import polars as pl

from include.landing.formats import Header

LANDED = [
    *["invoice_no", "stock_code", "description", "invoice_date", "customer_id", "country"],
    *["quantity", "unit_price", "amount", "refunded", "currency", "only"],
]
OF_THE_ORDER = ["invoice_date", "customer_id", "country", "currency", "only"]  # fill_down, but for refunds
TOLD = "told "  # before the name of a telling column, which could be one of ours
DATE_LIKE = r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}"
TOTAL = (
    r"(?:grand[ -]?|sub[ -]?)?totals?|sum|summe|gesamt(?:summe)?|zwischensumme"
    r"|totale|total g[ée]n[ée]ral|somme|totaal|total general|suma|razem|summa|celkem|yhteensä"
)


def landed_text(cells: pl.DataFrame, header: Header) -> pl.DataFrame:
    """The columns LANDED as text, and the telling ones by their names. All are null where the fields are, and
    a column that the header lacks is null everywhere."""
    places = header.place_of
    ours = [
        (pl.col(str(places[name])) if name in places else pl.lit(None, pl.String)).alias(name)
        for name in LANDED
    ]
    return cells.select(*ours, *(pl.col(str(place)).alias(TOLD + name) for name, place in header.telling))


def filled_down(text: pl.DataFrame) -> pl.DataFrame:
    """The same with the order's fields in each of its lines, from its first one. A line without an invoice
    number belongs to the order above. One without a product as well is a row of totals, and of no order."""
    known = text.with_columns(blank_as_null(name) for name in ("invoice_no", *OF_THE_ORDER))
    above = pl.col("invoice_no").forward_fill().over("file", "part")
    numbered = known.with_columns(pl.coalesce("invoice_no", pl.when(has_product(known)).then(above)))
    order = numbered.get_column("invoice_no").rle_id().alias("order")
    filled = numbered.with_columns(order).with_columns(
        pl.col(name).forward_fill().over("file", "part", "order") for name in OF_THE_ORDER
    )
    return filled.drop("order")


def has_product(text: pl.DataFrame) -> pl.Series:
    """Whether each line names what was bought. Where none does, the export has no such column."""
    filled = [blank_as_null(name) for name in ("stock_code", "description")]
    named = text.select(product=pl.coalesce(filled)).to_series().is_not_null()
    return named if named.any() else ~named


def blank_as_null(name: str) -> pl.Expr:
    return pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name)).alias(name)


def is_repeated_header(header: Header) -> pl.Expr:
    """Whether a row is the header once more, in whatever case and quotes."""
    text = pl.col("raw").str.replace_all('"', "", literal=True).str.strip_chars().str.to_lowercase()
    return text == pl.lit(header.text.replace('"', "").strip().lower())


def is_total(header: Header) -> pl.Expr:
    """Whether a row's first cell with text says that it is a total, and the row has no date."""
    text = pl.col("raw").str.strip_chars()
    return text.str.contains(total_row(header.delimiter)) & ~text.str.contains(DATE_LIKE)


def total_row(delimiter: str) -> str:
    """The pattern of a row whose first cell with text is the word for a total."""
    d = re.escape(delimiter)
    return rf'(?i)^[\s"{d}]*(?:{TOTAL})\s*:?\s*"?\s*(?:{d}|$)'
