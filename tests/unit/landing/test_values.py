"""Numbers in the spellings of shops, and what they prove about the mark of decimals."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.landing.values import currency, scaled_numbers
from include.shop_formats import Decimals

# A text; its number with a decimal point and with a decimal comma, times 10,000; what it is evidence of.
NUMBERS = [
    ("7", 70_000, 70_000, None),
    ("7.50", 75_000, None, "point"),
    ("7,50", None, 75_000, "comma"),
    ("1,250", 12_500_000, 12_500, "either_mark"),
    ("1.250", 12_500, 12_500_000, "either_mark"),
    ("0.350", 3_500, None, "point"),
    ("0,350", None, 3_500, "comma"),
    ("1,234.50", 12_345_000, None, "point"),
    ("1.234,50", None, 12_345_000, "comma"),
    ("1,234,567", 12_345_670_000, None, "point"),
    ("1 234,50", None, 12_345_000, "comma"),
    ("1\u202f234.50", 12_345_000, None, "point"),
    ("1'234.50", 12_345_000, None, "point"),
    ("1234,567", None, 12_345_670, "comma"),
    ("£7.50", 75_000, None, "point"),
    ("1.234,50 €", None, 12_345_000, "comma"),
    ("EUR 7,50", None, 75_000, "comma"),
    ("US$7.50", 75_000, None, "point"),
    ("-£7.50", -75_000, None, "point"),
    ("1-", -10_000, -10_000, None),
    ("(7.50)", -75_000, None, "point"),
    ("\u22123", -30_000, -30_000, None),
    ("+3", 30_000, 30_000, None),
    ("1.2345e3", 12_345_000, None, "point"),
    ("5.", 50_000, None, "point"),
    (".5", 5_000, None, "point"),
    ("\t7.50 ", 75_000, None, "point"),
]
NO_NUMBERS = ["", "-", ".", "x", "NaN", "1 2", "12,34,567", "1.5.2", "--1", "-(5)", "(7.50", "7.50 apples",
              "1,23,4", "0x10", "٣", "1e400", "9" * 30, "0.00001"]  # fmt: skip


@pytest.mark.parametrize(("text", "with_point", "with_comma", "mark"), NUMBERS)
def test_a_number_is_read_by_the_mark_in_force_and_is_evidence_of_one(
    text: str, with_point: int | None, with_comma: int | None, mark: str | None
) -> None:
    by_point, by_comma = (scaled_numbers(pl.Series([text]), 4, mark_) for mark_ in ("point", "comma"))
    assert (by_point["number"].item(), by_comma["number"].item()) == (with_point, with_comma)
    assert by_point["mark"].item() == by_comma["mark"].item() == mark


def test_the_currency_of_a_number_has_one_name_in_all_spellings() -> None:
    texts = pl.DataFrame({"text": ["7.50", "£7.50", "GBP 7.50", "7,50 €", "US$7.50", "$7.50", "7,50 kr."]})
    found = texts.select(currency(pl.col("text"))).to_series().to_list()
    assert found == [None, "GBP", "GBP", "EUR", "USD", "USD", "kr"]


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize("decimals", ["point", "comma", None])
def test_what_is_no_number_is_not_read(text: str, decimals: Decimals | None) -> None:
    assert scaled_numbers(pl.Series([text]), 4, decimals)["number"].item() is None


@pytest.mark.parametrize("text", ["7.50", "7,50", "1,250", "1.234,50"])
def test_while_no_mark_is_in_force_only_whole_numbers_are_read(text: str) -> None:
    found = scaled_numbers(pl.Series([text, "7"]), 0, None)
    assert found["number"].to_list() == [None, 7]


@settings(deadline=None)
@given(units=st.integers(-(10**13), 10**13), thousands=st.booleans())
def test_money_is_the_same_in_english_and_in_german(units: int, thousands: bool) -> None:
    whole, cents = divmod(abs(units), 100)
    english = f"{'-' if units < 0 else ''}{whole:{',' if thousands else ''}}.{cents:02}"
    german = english.translate(str.maketrans(",.", ".,"))
    for text, decimals in ((english, "point"), (german, "comma")):
        found = scaled_numbers(pl.Series([text]), 2, decimals)  # type: ignore[arg-type]
        assert found.row(0) == (units, decimals)
