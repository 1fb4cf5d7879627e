"""The fast pass of reading: lines in the usual spelling, which most are."""

import polars as pl

from include.landing.evidence import COMMA, EITHER_MARK, POINT
from include.landing.fields import plain_fields
from include.landing.formats import Format, Header
from include.landing.line_values import (
    NO_BREAK_SPACE,
    ReadingRules,
    finished,
    with_dates_and_ids,
    with_proofs_of_prices,
)
from include.landing.outcomes import MONEY, QUANTITY, is_counted, is_plausible, numbers_of
from include.landing.rows import landed_text
from include.settings import Landing
from include.shop_formats import Decimals

USUAL_QUANTITY = r"^-?[0-9]{1,5}$"
USUAL_NUMBER: dict[Decimals | None, str] = {
    POINT: r"^[0-9]{1,7}(\.[0-9]{0,4})?$",
    COMMA: r"^[0-9]{1,7}(,[0-9]{0,4})?$",
    None: r"^[0-9]{1,7}$",
}
# A usual number whose mark can only be that of decimals: all but AMBIGUOUS ones of values.py.
PROOF = r"[.,](?:[0-9]{0,2}|[0-9]{4})$|^(?:0[0-9]*|[0-9]{4,})[.,][0-9]{3}$"


def fast_pass(
    found: pl.DataFrame, form: Format, header: Header, rules: ReadingRules
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records in the usual spelling, typed; and the others as they are.

    The usual spelling has no quotes, whole quantities in digits, and money with at most four decimals. The
    complete pass would type these records equally. A test compares the two.
    """
    unusual = pl.any_horizontal(
        pl.col("raw").str.contains(text, literal=True) for text in ('"', NO_BREAK_SPACE, "\0")
    )
    is_usual = found.select(~unusual & ~pl.col("damaged") & ~pl.col("cut_off")).to_series()
    usual = found.filter(is_usual)
    text = usual.hstack(landed_text(plain_fields(usual.get_column("raw"), form), header))
    numbers, decimals = numbers_of(header), form.notation.decimals
    marks = proofs(text, [name for name in numbers if name != "quantity"], decimals)
    read = with_dates_and_ids(text, form, rules).with_columns(order=with_proofs_of_prices(header))
    values = read.with_columns(usual_number(name, decimals) for name in numbers)
    is_kept = values.select(is_read(header, rules.landing)).to_series().fill_null(value=False)
    left = pl.concat([found.filter(~is_usual), usual.filter(~is_kept)])
    kept = values.with_columns(marks).filter(is_kept).with_columns(reason=pl.lit(None, pl.String))
    return finished(kept, header), left


def usual_number(name: str, decimals: Decimals | None) -> pl.Expr:
    """A number in the usual spelling; null for any other."""
    text = pl.col(name)
    if name == "quantity":
        whole = pl.when(text.str.contains(USUAL_QUANTITY)).then(text.cast(pl.Int32, strict=False))
        return whole.cast(QUANTITY).alias(name)
    pointed = text.str.replace(",", ".", literal=True) if decimals == COMMA else text
    return (
        pl.when(text.str.contains(USUAL_NUMBER[decimals])).then(pointed.cast(MONEY, strict=False)).alias(name)
    )


def is_read(header: Header, landing: Landing) -> pl.Expr:
    """Whether the fast pass has read all of a line."""
    numbers = [pl.col(name).is_not_null() for name in numbers_of(header)]
    return pl.all_horizontal(*numbers, is_counted(header), is_plausible(landing), ~pl.col("has_damaged_id"))


def proofs(text: pl.DataFrame, numbers: list[str], decimals: Decimals | None) -> pl.Series:
    """What each line is evidence of. Of all lines: what a look has proven must be found again, and a file
    must prove the same beside whichever others it is read."""
    if decimals is None or not numbers:
        return pl.repeat(None, text.height, dtype=pl.String, eager=True).alias("marks")
    is_proof = pl.any_horizontal(pl.col(name).str.contains(PROOF) for name in numbers)
    has_mark = pl.any_horizontal(pl.col(name).str.contains("[.,]") for name in numbers)
    found = pl.when(is_proof).then(pl.lit(decimals)).when(has_mark).then(pl.lit(EITHER_MARK))
    return text.select(found.alias("marks")).to_series()
