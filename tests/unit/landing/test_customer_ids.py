"""The rules of customer ids: which spellings are one customer, which are nobody, and which are damaged."""

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.landing.customer_ids import customer_ids

# What an export writes, and the customer it stands for.
SPELLED = {
    "17850": "17850",
    "17850.0": "17850",
    "17850,00": "17850",
    " 17850\t": "17850",
    "\ufeff17850": "17850",
    "\u200e17\u00ad85\u200b0\u00a0": "17850",
    "'17850": "17850",
    "' 17850.0": "17850",
    '="17850"': "17850",
    '"17850"': "17850",
    "1.7850E+04": "17850",
    "1,785000e+04": "17850",
    "9.1001E+04": "91001",
    "4E+00": "4",
    "091001": "091001",
    "17,850": "17,850",
    "17,000": "17,000",
    "17850.5": "17850.5",
    "C-0042": "C-0042",
    "C\u00a042": "C 42",
    "7e10": "7e10",
    "12E4": "12E4",
    "9f01": "9f01",
    "Ann.O'Hara@Shop.com ": "ann.o'hara@shop.com",
    "Ann@Shop@com": "Ann@Shop@com",
    "@Ann": "@Ann",
}
DAMAGED = [
    "9.1E+04",
    "1.785E+04",
    "1.23457E+11",
    "1.23456789012345678E+17",
    "1.5E+00",
    "1E-05",
    "###",
    "#REF!",
]
NOBODY = ["", " ", "\u200b", "0", "0.0", "000", "-1", "-", "?", "NULL", "nan", "#N/A", "<NA>", "\\N",
          "(null)", "None", "unknown", "Guest", "guests", "Guest checkout", "Walk-In"]  # fmt: skip
SOMEBODY = ["N", "\\n", "1", "-2", "unknown 5", "Guesthouse Nilsen"]


def customer(text: str, *guest_ids: str) -> str | None:
    (found,) = customer_ids(pl.Series([text]), guest_ids)
    return "damaged" if found["is_damaged"] else found["id"]


@pytest.mark.parametrize("text", SPELLED, ids=ascii)
def test_spellings_of_an_id_are_one_customer(text: str) -> None:
    assert customer(text) == SPELLED[text]


@pytest.mark.parametrize("text", DAMAGED)
def test_an_id_that_has_lost_digits_is_damaged(text: str) -> None:
    assert customer(text) == "damaged"


@pytest.mark.parametrize("text", NOBODY, ids=ascii)
def test_the_usual_spellings_of_nobody_are_nobody(text: str) -> None:
    assert customer(text) is None


@pytest.mark.parametrize("text", SOMEBODY)
def test_an_id_that_only_resembles_them_is_a_customer(text: str) -> None:
    assert customer(text) == text


@pytest.mark.parametrize("text", ["99999", "99999.0", "'99999", "web-guest", " WEB-Guest"])
def test_configured_guests_are_nobody_in_each_spelling(text: str) -> None:
    assert customer(text, "99999.0", " Web-Guest") is None


def test_a_guest_is_configured_as_a_whole() -> None:
    assert customer("99999-1", "99999") == "99999-1"


def test_a_line_without_the_field_has_no_customer_and_is_not_damaged() -> None:
    (found,) = customer_ids(pl.Series([None], dtype=pl.String))
    assert found == {"id": None, "is_damaged": None}


# -- laws ---------------------------------------------------------------------------------------

MARKS = st.text("\t\n \u00a0\u00ad\u200b\u200e\u2028\u2060\ufeff", max_size=3)
CODES = st.from_regex(r"[A-Z]{1,3}-?[1-9][0-9]{0,8}", fullmatch=True)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.from_regex(
        r"['\"= ]{0,3}[0-9]{1,3}([.,][0-9]{0,5})?([eE][+-]?[0-9]{0,3})?['\" ]{0,2}", fullmatch=True
    ),
)


@given(TEXTS)
@example("'=\"'1.0\"")
def test_an_id_is_its_own_spelling(text: str) -> None:
    found = customer(text)
    assert found in (None, "damaged") or customer(found) == found


@given(TEXTS, MARKS, MARKS)
def test_marks_around_an_id_never_matter(text: str, before: str, after: str) -> None:
    assert customer(before + text + after) == customer(text)


@given(CODES)
def test_an_id_without_marks_is_itself(code: str) -> None:
    assert customer(code) == code


@given(st.integers(1, 10**15 - 1), st.integers(0, 4))
def test_scientific_notation_is_read_only_where_it_shows_every_digit(number: int, hidden: int) -> None:
    digits = str(number)
    shown = digits[: len(digits) - hidden] or digits[0]
    decimals = f".{shown[1:]}" if shown[1:] else ""
    spelled = f"{shown[0]}{decimals}E+{len(digits) - 1:02}"
    assert customer(spelled) == (digits if shown == digits else "damaged")
