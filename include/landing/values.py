"""Numbers as exports write them, read by evidence. The patterns name the digits: `\\d` has more.

    7.50  7,50  1,234.50  1.234,50  1 234,50  1'234.50  1.2345e3    with or without thousands
    £7.50  7.50 €  EUR 7.50  US$7.50                                 with a currency
    -1  1-  (7.50)                                                   below zero

Whether a comma or a point divides the decimals is evident from all but one spelling: a single mark with
three digits behind it, such as 1,250. That is read by the mark in force, or not at all.
"""

import polars as pl

from include.landing.evidence import COMMA, EITHER_MARK, POINT
from include.shop_formats import Decimals

CURRENCY = r"(?:[A-Z]{0,3}\p{Sc}|[A-Z]{3}|kr\.?|zł|Fr\.?|Kč|Ft|lei)"
SPELLED = (
    rf"^(?P<open>\()? *(?P<before>[-+\u2212])? *(?:{CURRENCY} *)?(?P<behind>[-+\u2212])? *"
    r"(?P<body>[0-9][0-9.,'\u2019 \u00a0\u202f]*|[.,][0-9]+)(?P<exponent>[eE][+-]?[0-9]{1,2})?"
    rf" *(?:{CURRENCY})?(?P<last>[-\u2212])? *(?P<close>\))?$"
)
BLANK_THOUSANDS = r"^[0-9]{1,3}([ '\u2019\u00a0\u202f][0-9]{3})+([.,][0-9]*)?$"
BLANKS = r"[ '\u2019\u00a0\u202f]"
COMMA_THOUSANDS = r"^[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?$"
POINT_THOUSANDS = r"^[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]*)?$"
WITH_POINT, WITH_COMMA = r"^[0-9]*\.[0-9]*$", r"^[0-9]*,[0-9]*$"
AMBIGUOUS = r"^[1-9][0-9]{0,2}[.,][0-9]{3}$"
CODES = {"£": "GBP", "€": "EUR", "$": "USD", "US$": "USD", "¥": "JPY", "zł": "PLN", "Kč": "CZK", "Ft": "HUF"}
NUMBER = r"^(?P<whole>[0-9]{0,38})\.?(?P<decimals>[0-9]*)$"
MOST_DIGITS = 18  # of a number that fits into 64 bits
MOST_ZEROS = 120  # that an exponent of two digits can add
BLANK = "".join(map(chr, range(1, 33)))  # blanks and control characters


def scaled_numbers(texts: pl.Series, places: int, decimals: Decimals | None) -> pl.DataFrame:
    """The number that each text is, times ten to the power of `places`, as Int64 `number`; and as `mark`
    what it is evidence of: point, comma, or either_mark.

    Null for other text, and for a number with more decimal places: nothing is rounded.
    """
    parts = texts.str.strip_chars(BLANK).str.extract_groups(SPELLED).struct.unnest()
    closed = pl.col("open").is_null() == pl.col("close").is_null()
    body = pl.col("body").str.strip_chars_end(" ")
    packed = (
        pl.when(body.str.contains(BLANK_THOUSANDS)).then(body.str.replace_all(BLANKS, "")).otherwise(body)
    )
    read = parts.select(
        body=pl.when(closed).then(packed),
        exponent=pl.col("exponent").str.slice(1).cast(pl.Int64).fill_null(0),
        has_exponent=pl.col("exponent").is_not_null(),
        sign=sign(),
    ).with_columns(mark=mark())
    english = read.with_columns(body=with_point(decimals))
    return english.select(number=scaled(english, places) * pl.col("sign"), mark="mark")


def currency(text: pl.Expr) -> pl.Expr:
    """The currency that is written with a number; null without one. A dollar alone is the American one."""
    return text.str.extract(rf"({CURRENCY})").str.strip_chars_end(".").replace(CODES)


def sign() -> pl.Expr:
    """1 or -1; null where there are two signs."""
    marks = [pl.col(name) for name in ("before", "behind", "last")]
    minus = [mark.is_in(["-", "\u2212"]).fill_null(value=False) for mark in marks]
    signs = [mark.is_not_null() for mark in [*marks, pl.col("open")]]
    is_negative = pl.any_horizontal(*minus, pl.col("open").is_not_null())
    return pl.when(pl.sum_horizontal(signs) <= 1).then(pl.when(is_negative).then(-1).otherwise(1))


def mark() -> pl.Expr:
    """What a number is evidence of."""
    body, points, commas = pl.col("body"), count("."), count(",")
    both = (points > 0) & (commas > 0)
    is_single = (points + commas == 1) & ~pl.col("has_exponent") & body.str.contains(AMBIGUOUS)
    return (
        pl.when(is_single)
        .then(pl.lit(EITHER_MARK))
        .when(body.str.contains(COMMA_THOUSANDS) & (both | (commas > 1)))
        .then(pl.lit(POINT))
        .when(body.str.contains(POINT_THOUSANDS) & (both | (points > 1)))
        .then(pl.lit(COMMA))
        .when((points == 1) & (commas == 0))
        .then(pl.lit(POINT))
        .when((commas == 1) & (points == 0))
        .then(pl.lit(COMMA))
    )


def count(character: str) -> pl.Expr:
    return pl.col("body").str.count_matches(character, literal=True)


def with_point(decimals: Decimals | None) -> pl.Expr:
    """The digits, with a point before the decimals; null where the mark in force does not allow them."""
    body = pl.col("body")
    if decimals is None:
        return pl.when(body.str.contains("^[0-9]+$")).then(body)
    thousands, plain = (COMMA_THOUSANDS, WITH_POINT) if decimals == POINT else (POINT_THOUSANDS, WITH_COMMA)
    without = body.str.replace_all("," if decimals == POINT else ".", "", literal=True)
    is_plain = body.str.contains(plain) | body.str.contains("^[0-9]+$")
    digits = pl.when(body.str.contains(thousands)).then(without).when(is_plain).then(body)
    return digits.otherwise(None).str.replace(",", ".", literal=True)


def scaled(read: pl.DataFrame, places: int) -> pl.Series:
    """The numbers without their signs, times ten to the power of `places`."""
    parts = read.get_column("body").str.extract_groups(NUMBER).struct.unnest()
    digits = parts.with_columns(
        pl.col("decimals").str.strip_chars_end("0"), exponent=read.get_column("exponent")
    )
    # How many zeros the digits need at their end; below 0, how many they have too many.
    missing = pl.lit(places) + pl.col("exponent") - pl.col("decimals").str.len_bytes().cast(pl.Int64)
    shifted = digits.select(digits=pl.concat_str("whole", "decimals"), missing=missing).with_columns(
        length=(pl.col("digits").str.len_bytes().cast(pl.Int64) + pl.col("missing")).clip(0)
    )
    split = shifted.select(
        kept=pl.col("digits").str.slice(0, pl.col("length")),
        removed=pl.col("digits").str.slice(pl.col("length")),
        added=pl.lit("0" * MOST_ZEROS).str.slice(0, pl.col("missing").clip(0)),
    ).with_columns(number=pl.concat_str("kept", "added").str.strip_chars_start("0"))
    is_exact = (pl.col("removed").str.strip_chars("0") == "") & (
        pl.col("number").str.len_bytes() <= MOST_DIGITS
    )
    magnitude = pl.concat_str(pl.lit("0"), "number").cast(pl.Int64, strict=False)
    return split.select(pl.when(is_exact).then(magnitude)).to_series()
