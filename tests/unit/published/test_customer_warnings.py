"""Warnings about customers, on figures made by hand."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
import yaml

from include.published.customer_warnings import customer_warnings
from include.published.figures import CustomerFigures
from include.settings import Warnings

LIMITS = Warnings(one_customer_share=0.05, fewest_customers=100)
USUAL = CustomerFigures(
    customers=1000,
    one_order=300,
    orders=4000,
    most_orders=("17850", 200),
    gross=Decimal("100000.00"),
    most_gross=("14646", Decimal("50000.00")),
    less_than_nothing={},
    days=set(),
)

Find = Callable[..., list[str]]


def find(**changed: object) -> list[str]:
    return customer_warnings(replace(USUAL, **changed), LIMITS)  # type: ignore[arg-type]


def test_a_usual_shop_has_no_warning() -> None:
    """Its busiest customer has 5 % of the orders, its largest one half of the revenue."""
    assert find() == []


def test_an_id_with_more_than_5_percent_of_the_invoices_is_named_with_what_to_paste() -> None:
    [warning] = find(most_orders=("99999", 201))
    assert warning == (
        "customer id 99999 has 201 of the 4,000 invoices (5.0%), as if guests or a till shared it "
        "(warnings.one_customer_share: 0.05); if it is nobody, say so in segmentation.yaml: "
        '`guest_ids: ["99999"]`'
    )


@pytest.mark.parametrize("customer_id", ['"walk-in"', "back\\slash", "a: [b", "NO", "007"])
def test_what_to_paste_is_yaml_of_the_same_id(customer_id: str) -> None:
    [warning] = find(most_orders=(customer_id, 2000))
    assert yaml.safe_load(warning.split("`")[1]) == {"guest_ids": [customer_id]}


@pytest.mark.parametrize(
    "figures",
    [
        {"orders": 19, "most_orders": ("a", 10)},
        {"orders": 40, "most_orders": ("a", 5), "customers": 12},
    ],
    ids=["few orders", "a few regular customers"],
)
def test_a_large_part_of_the_orders_is_usual_among_few(figures: dict[str, object]) -> None:
    assert not any(sentence.startswith("customer id") for sentence in find(**figures))


def test_half_of_the_orders_of_a_small_shop_are_not() -> None:
    assert find(orders=40, most_orders=("0", 20), customers=21)[0].startswith(
        "customer id 0 has 20 of the 40"
    )


def test_everybody_with_exactly_one_order_is_said() -> None:
    [warning] = find(one_order=1000, orders=1000, most_orders=("a", 1))
    assert warning.startswith("each of the 1,000 customers has exactly one order: probably the shop writes")
    assert find(one_order=999, orders=1001, most_orders=("a", 2)) == []


@pytest.mark.parametrize(
    ("customers", "words"), [(99, "only 99 customers count: "), (1, "only 1 customer counts: ")]
)
def test_too_few_customers_for_fifths_are_said(customers: int, words: str) -> None:
    [warning] = find(customers=customers, one_order=0)
    assert warning.startswith(words)
    assert find(customers=100, one_order=0) == []


def test_a_customer_who_bought_more_than_all_others_is_named() -> None:
    [warning] = find(most_gross=("91001", Decimal("50000.01")))
    assert warning.startswith("customer 91001 has bought 50,000.01 of 100,000.00 in all (50.0%): look")
