"""Numbers and customer ids as exports write them. The patterns name the digits: `\\d` has more."""

import polars as pl

PLAIN = r"^[+-]?([0-9]{1,38}\.?|[0-9]{0,38}\.[0-9]{1,19}0*)$"
WITH_EXPONENT = r"^[+-]?[0-9]{1,16}(\.[0-9]{0,16})?[eE][+-]?[0-9]{1,2}$"
WITH_THOUSANDS = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?$"
PARTS = r"^(?P<sign>[+-]?)(?P<whole>[0-9]*)\.?(?P<decimals>[0-9]*)(?:[eE](?P<exponent>[+-]?[0-9]+))?$"
MOST_DIGITS = 18  # of a number that fits into 64 bits
MOST_ZEROS = 120  # that an exponent of two digits can add
BLANK = "".join(map(chr, range(1, 33)))  # blanks and control characters
SPACES = " \t\n\x0b\x0c\r"
MISSING_IDS = ["", "null", "nan", "none", "na", "n/a", "#n/a", "<na>"]


def scaled_numbers(texts: pl.Series, places: int) -> pl.Series:
    """The number that each text is, times ten to the power of `places`, as Int64. Null for other text, and
    for a number with more decimal places: nothing is rounded."""
    parts = number_parts(texts.str.strip_chars(BLANK)).with_columns(
        pl.col("decimals").str.strip_chars_end("0"),
        pl.col("exponent").fill_null("0").cast(pl.Int64),
    )
    # How many zeros the digits need at their end; below 0, how many they have too many.
    missing = pl.lit(places) + pl.col("exponent") - pl.col("decimals").str.len_bytes().cast(pl.Int64)
    shifted = parts.select("sign", digits=pl.concat_str("whole", "decimals"), missing=missing).with_columns(
        length=(pl.col("digits").str.len_bytes().cast(pl.Int64) + pl.col("missing")).clip(0)
    )
    split = shifted.select(
        "sign",
        kept=pl.col("digits").str.slice(0, pl.col("length")),
        removed=pl.col("digits").str.slice(pl.col("length")),
        added=pl.lit("0" * MOST_ZEROS).str.slice(0, pl.col("missing").clip(0)),
    ).with_columns(number=pl.concat_str("kept", "added").str.strip_chars_start("0"))
    is_exact = (pl.col("removed").str.strip_chars("0") == "") & (
        pl.col("number").str.len_bytes() <= MOST_DIGITS
    )
    magnitude = pl.concat_str(pl.lit("0"), "number").cast(pl.Int64, strict=False)
    sign = pl.when(pl.col("sign") == "-").then(-1).otherwise(1)
    return split.select(pl.when(is_exact).then(magnitude) * sign).to_series()


def number_parts(texts: pl.Series) -> pl.DataFrame:
    """Sign, digits before and after the point, and exponent, as text; null for what is no number."""
    is_number = texts.str.contains(PLAIN) | texts.str.contains(WITH_EXPONENT)
    has_thousands = texts.str.contains(WITH_THOUSANDS)
    spelled = texts.to_frame("text").select(
        pl.when(is_number)
        .then(pl.col("text"))
        .when(has_thousands)
        .then(pl.col("text").str.replace_all(",", "", literal=True))
    )
    return spelled.to_series().str.extract_groups(PARTS).struct.unnest()


def customer_ids(texts: pl.Series) -> pl.Series:
    """The ids as text: `17850.0` becomes `17850`, blanks and spelled-out nulls become null."""
    ids = texts.str.strip_chars(" ").to_frame("id")
    is_missing = pl.col("id").str.strip_chars(SPACES).str.to_lowercase().is_in(MISSING_IDS)
    has_zeros = pl.col("id").str.contains(r"^[0-9]+\.0+$")
    whole = pl.col("id").str.strip_chars_end("0").str.strip_suffix(".")
    return ids.select(pl.when(~is_missing).then(pl.when(has_zeros).then(whole).otherwise("id"))).to_series()
