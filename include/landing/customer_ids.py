"""Customer ids as exports write them: one spelling for each customer.

    spelled                                      is
    ` 17850`, a mark that cannot be seen         17850
    `'17850`, `="17850"`, `17850.0`, `17850,0`   17850
    `1.7850E+04`                                 17850: every digit is shown
    `1.785E+04`, `#####`, `#REF!`                damaged: digits are lost, several customers would be one
    `Ann@Shop.com`                               ann@shop.com: an address is the same without case
    `091001`, `C-0042`, `17,850`, `7E10`         themselves: ids of other systems

Nobody is null: no text, only zeros or punctuation, -1, the words of NOBODY, and the configured `guest_ids`.
"""

from collections.abc import Sequence

import polars as pl

INVISIBLE = r"[\p{Cc}\p{Default_Ignorable_Code_Point}]"  # tabs, byte order marks, soft hyphens, directions
QUOTED = r'^[\' ]*=? *"([^"]*)" *$'
WITH_ZEROS = r"^([0-9]+)(?:\.0+|,00?)$"  # three zeros after a comma would be thousands
ADDRESS = r"^[^@]+@[^@]+$"
# As Excel and pandas write a large number. Ids such as 7E10 have no sign.
SCIENTIFIC = r"^(?P<sign>-?)(?P<first>[0-9])(?:[.,](?P<more>[0-9]+))?[eE](?P<exponent>[+-][0-9]{2,3})$"
MOST_DIGITS = 15  # that Excel keeps: further ones become zeros
EXCEL_ERRORS = ["#REF!", "#VALUE!", "#NAME?", "#NUM!", "#DIV/0!", "#NULL!"]
NO_WORD = r"[^\p{Alphabetic}\p{N}]"
# Spellings of nobody, without case, blanks and punctuation: `(null)`, `<NA>`, `n/a`, `Walk-in`.
NOBODY = [
    *["null", "nil", "nan", "none", "na", "undefined", "unknown", "notset", "notavailable", "notapplicable"],
    *["guest", "guests", "guestuser", "guestcustomer", "guestcheckout", "guestaccount"],
    *["walkin", "walkincustomer", "anonymous", "anonymoususer", "anon", "nobody", "nocustomer"],
]
MARKS_OF_NOBODY = [r"\N", "-1"]  # of MySQL and Postgres, and of data warehouses


def customer_ids(texts: pl.Series, guest_ids: Sequence[str] = ()) -> pl.Series:
    """The customer of each text: a struct of `id`, null for nobody or if damaged, and `is_damaged`."""
    guests = pl.Series(guest_ids, dtype=pl.String).to_frame("text").select(without_marks(pl.col("text")))
    nobody = guests.to_series().str.to_lowercase().implode()
    plain = texts.to_frame("text").select(id=without_marks(pl.col("text")))
    parts = plain.to_series().str.extract_groups(SCIENTIFIC).struct.unnest()
    read = plain.hstack(parts).select("id", number=whole_number(), is_damaged=has_lost_digits())
    named = read.with_columns(pl.coalesce("number", "id").alias("id"))
    is_nobody = is_spelled_nobody(pl.col("id")) | pl.col("id").str.to_lowercase().is_in(nobody)
    return named.select(
        pl.struct(id=pl.when(~is_nobody & ~pl.col("is_damaged")).then("id"), is_damaged="is_damaged")
    ).to_series()


def without_marks(text: pl.Expr) -> pl.Expr:
    """The text without what exports put around an id, and addresses in lower case."""
    seen = text.str.replace_all(INVISIBLE, "").str.replace_all(r"\p{Z}", " ")
    bare = seen.str.replace(QUOTED, "$1").str.strip_chars_start("' ").str.strip_chars_end(" ")
    whole = bare.str.replace(WITH_ZEROS, "$1")
    return pl.when(whole.str.contains(ADDRESS)).then(whole.str.to_lowercase()).otherwise(whole)


def whole_number() -> pl.Expr:
    """The number in scientific notation with all its digits; null where some are not shown."""
    more, exponent = pl.col("more").fill_null(""), pl.col("exponent").cast(pl.Int64)
    shows_all = exponent.is_between(0, MOST_DIGITS - 1) & (more.str.len_bytes() >= exponent)
    is_whole = more.str.slice(exponent.clip(0)).str.strip_chars("0") == ""
    digits = pl.concat_str("sign", "first", more.str.slice(0, exponent.clip(0)))
    return pl.when(shows_all & is_whole).then(digits)


def has_lost_digits() -> pl.Expr:
    """Whether an id is a number with digits that are not shown, or what Excel shows in place of one."""
    lost = pl.col("first").is_not_null() & whole_number().is_null()
    return lost | pl.col("id").str.contains("^#+$") | pl.col("id").is_in(EXCEL_ERRORS)


def is_spelled_nobody(customer: pl.Expr) -> pl.Expr:
    word = customer.str.replace_all(NO_WORD, "").str.to_lowercase()
    return word.str.contains("^0*$") | word.is_in(NOBODY) | customer.is_in(MARKS_OF_NOBODY)
