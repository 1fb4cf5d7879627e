"""What a person reads whose run is refused."""

import re
from datetime import date

import pytest
import yaml

from include.published.examples import Example, Only, Refusal
from include.published.refusals import message
from include.settings import RunConfig, Segmentation

PROBLEM = "60 of 60 lines (100.0%) of a.csv are rejected as {}, and no line is kept"
LINE = Example(
    "a.csv", 1234, "CA-2024-1,T10,\x1b[31mTea", "CA-2024-1", "online-retail, utf-8", date(2024, 3, 1)
)


@pytest.fixture
def settings(config: RunConfig) -> Segmentation:
    return config.settings.model_copy(update={"reject_baseline": {"missing_customer": 0.4}})


def refused(reason: str, share: float = 1.0) -> Refusal:
    return Refusal(PROBLEM.format(reason), "a.csv", reason, share)


def pasted(text: str) -> list[object]:
    """The configuration to paste."""
    return [yaml.safe_load(found) for found in re.findall("`([^`]*)`", text)]


def test_a_refusal_says_what_is_wrong_shows_a_line_and_says_what_would_fit(settings: Segmentation) -> None:
    found = message([refused("unknown_invoice_type", 0.973)], LINE, settings)
    assert found == (
        "60 of 60 lines (100.0%) of a.csv are rejected as unknown_invoice_type, and no line is kept. Nothing "
        "was published. For example a.csv line 1,234, read as online-retail, utf-8: "
        '"CA-2024-1,T10, [31mTea". What would fit: if these are purchases, '
        "`purchase_invoices: 'CA-[0-9]+-[0-9]+'` in the file's format; or, if so many are right, "
        "`reject_baseline: {missing_customer: 0.4, unknown_invoice_type: 0.98}` in segmentation.yaml. "
        "To publish once all the same, run it with the param publish_anyway: make run "
        """PARAMS='{"publish_anyway": true}', or the form of Trigger in Airflow"""
    )


@pytest.mark.parametrize(
    ("invoice_no", "another"),
    [
        ("CA-2024-1", "CA-2023-152156"),
        ("#1001", "#7"),
        ("A.1(b)", "A.22(b)"),
        ("7'8", "70'80"),
        ("1001", "7"),
        ("A108", "A9"),
        ("c41d9f00aa", "9f01"),
        ("Über-ß 7", "Über-ß 8"),
    ],
)
def test_the_pattern_to_paste_fits_invoice_numbers_alike(
    settings: Segmentation, invoice_no: str, another: str
) -> None:
    line = Example("a.csv", 2, "", invoice_no)
    [pattern, _] = pasted(message([refused("unknown_invoice_type")], line, settings))
    assert isinstance(pattern, dict)
    for number in (invoice_no, another):
        assert re.fullmatch(pattern["purchase_invoices"], number)


@pytest.mark.parametrize(
    ("reason", "key"),
    [
        ("invoice_date_unreadable", "date_order: day_first"),
        ("unit_price_unreadable", "decimals: comma"),
        ("quantity_not_positive", "negative_quantity: return"),
        ("file_damaged", "set it aside by an underscore"),
    ],
)
def test_each_reason_says_what_would_fit(settings: Segmentation, reason: str, key: str) -> None:
    assert key in message([refused(reason)], None, settings)


def test_a_date_after_its_file_has_three_cures(settings: Segmentation) -> None:
    late = Refusal("a line of a.csv is of 2024-12-03", "a.csv", "date")
    found = message([late], LINE, settings)
    assert {"latest_date": date(2024, 3, 1)} in pasted(found)
    assert "date_order: day_first" in found
    assert "touch it" in found
    assert "reject_baseline" not in found


def test_two_currencies_have_a_format_that_lets_one_count(settings: Segmentation) -> None:
    two = Refusal("2 currencies", "a.csv", "currency", only=Only("Currency", "GBP", "JPY"))
    found = message([two], LINE, settings)
    assert {"only": {"column": "Currency", "values": ["GBP"]}} in pasted(found)


def test_other_refusals_are_named_too(settings: Segmentation) -> None:
    found = message([refused("zero_byte"), refused("file_damaged")], None, settings)
    assert f"Also: {PROBLEM.format('file_damaged')}." in found


def test_no_param_lets_an_empty_snapshot_go(settings: Segmentation) -> None:
    found = message([refused("excluded_stock_code")], None, settings, anyway=False)
    assert found.endswith("What would fit: take the codes off `excluded_stock_codes:` in segmentation.yaml")


def test_a_long_line_is_shortened(settings: Segmentation) -> None:
    found = message([refused("zero_byte")], Example("a.csv", 2, "x" * 900), settings)
    assert f': "{"x" * 200}...". What' in found
