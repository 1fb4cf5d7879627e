"""Warnings about the customers of a snapshot: ids that are nobody's, and too few of them.

Each rule is a pure function. It returns sentences with the numbers, and the key of the configuration that
decides where there is one.
"""

import json

from include.published.figures import CustomerFigures
from include.settings import Warnings

FEWEST_ORDERS = 20  # fewer do not show that one id has more than its part
FEWEST_CUSTOMERS = 10  # fewer may well have bought once each


def customer_warnings(found: CustomerFigures, limits: Warnings) -> list[str]:
    return [
        *busiest_customer(found, limits),
        *one_order_each(found),
        *few_customers(found, limits),
        *largest_customer(found),
    ]


def busiest_customer(found: CustomerFigures, limits: Warnings) -> list[str]:
    """One id has more than its part of the invoices: guests or a till share it."""
    customer, orders = found.most_orders
    share = orders / found.orders
    if found.orders < FEWEST_ORDERS or share <= limits.one_customer_share:
        return []
    if share < 2 / found.customers:  # of a few regular customers each has a large part
        return []
    return [
        f"customer id {customer} has {orders:,} of the {found.orders:,} invoices ({share:.1%}), as if guests "
        f"or a till shared it (warnings.one_customer_share: {limits.one_customer_share}); if it is nobody, "
        f"say so in segmentation.yaml: `guest_ids: {json.dumps([customer], ensure_ascii=False)}`"
    ]


def one_order_each(found: CustomerFigures) -> list[str]:
    """Everybody bought exactly once: the shop makes a customer of each order."""
    if found.customers < FEWEST_CUSTOMERS or found.one_order < found.customers:
        return []
    return [
        f"each of the {found.customers:,} customers has exactly one order: probably the shop writes a new id "
        "for each order, and frequency says nothing; export an id that a customer keeps, such as the e-mail "
        "address"
    ]


def few_customers(found: CustomerFigures, limits: Warnings) -> list[str]:
    """Scores are fifths of the customers."""
    if found.customers >= limits.fewest_customers:
        return []
    number = "only 1 customer counts" if found.customers == 1 else f"only {found.customers} customers count"
    return [
        f"{number}: scores are fifths, and those of fewer than {limits.fewest_customers} customers say "
        f"little (warnings.fewest_customers: {limits.fewest_customers})"
    ]


def largest_customer(found: CustomerFigures) -> list[str]:
    """One customer has bought more than all others."""
    customer, gross = found.most_gross
    if gross * 2 <= found.gross:
        return []
    return [
        f"customer {customer} has bought {gross:,} of {found.gross:,} in all ({gross / found.gross:.1%}): "
        "look for a typing error in a quantity or a price"
    ]
