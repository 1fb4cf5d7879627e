"""Why a customer has a segment, and what would change it."""

from decimal import Decimal

import pytest

from include.published.scores import Fall, Lift, Values, code, falls, lifts, score, score_range
from include.settings import RunConfig

CUTS = {
    "recency_days": [Decimal(days) for days in (10, 30, 90, 200)],
    "frequency": [Decimal(orders) for orders in (1, 1, 2, 5)],  # nobody can have an F of 2
    "monetary": [Decimal(amount) for amount in ("50.00", "100.00", "300.00", "900.00")],
}


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("recency_days", 1, 5),
        ("recency_days", 10, 5),
        ("recency_days", 11, 4),
        ("recency_days", 200, 2),
        ("recency_days", 201, 1),
        ("frequency", 1, 1),
        ("frequency", 2, 3),
        ("frequency", 5, 4),
        ("frequency", 6, 5),
        ("monetary", Decimal("50.00"), 1),
        ("monetary", Decimal("50.01"), 2),
    ],
)
def test_a_score_ends_at_its_cut_point(metric: str, value: Decimal | int, expected: int) -> None:
    assert score(metric, value, CUTS) == expected
    above, up_to = score_range(metric, expected, CUTS)
    assert (above is None or above < value) and (up_to is None or value <= up_to)


def test_a_lift_is_the_fewest_orders_and_then_the_least_spend(config: RunConfig) -> None:
    """Hibernating 132: two orders for 60.00, long ago. A third order makes R 5 and F 4."""
    values = Values(300, 2, Decimal("60.00"))
    assert code(values, CUTS) == "132"
    found = {lift.segment: lift for lift in lifts(values, CUTS, config.segment_map)}
    assert found["Potential Loyalists"] == Lift("Potential Loyalists", "542", 1, Decimal(0))
    assert found["Loyal Customers"] == Lift("Loyal Customers", "543", 1, Decimal("40.01"))
    assert found["Champions"] == Lift("Champions", "544", 1, Decimal("240.01"))
    assert "Promising" not in found, "F falls never below 4"
    assert list(found) == ["Potential Loyalists", "Loyal Customers", "Champions"], "the nearest first"


def test_the_best_customers_cannot_be_lifted(config: RunConfig) -> None:
    assert lifts(Values(1, 10, Decimal(1000)), CUTS, config.segment_map) == []


def test_a_fall_comes_a_day_after_the_cut_point(config: RunConfig) -> None:
    """555 is Champions as long as R is 4 or 5; 355 is Loyal Customers, 255 and 155 are below."""
    assert falls(Values(3, 10, Decimal(1000)), CUTS, config.segment_map) == [
        Fall("Loyal Customers", "355", 28),
        Fall("At Risk", "255", 88),
        Fall("Can't Lose Them", "155", 198),
    ]


def test_who_bought_longest_ago_cannot_fall(config: RunConfig) -> None:
    assert falls(Values(201, 1, Decimal(1)), CUTS, config.segment_map) == []
