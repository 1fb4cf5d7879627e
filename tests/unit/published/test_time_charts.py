"""The charts over many snapshots."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from altair import TopLevelMixin

from include.published import charts, time_charts
from include.published.over_time import SegmentThen, Then

NAMES = ["Best", "Last"]


def thens(days: int) -> Sequence[Then]:
    return [
        Then(
            as_of=date(2011, 12, 1) + timedelta(days=day),
            segments={
                "Best": SegmentThen("Best", 3, 0.75, Decimal(30), 0.9),
                "Last": SegmentThen("Last", 1, 0.25, Decimal(3), None),
            },
            cut_points={
                metric: [Decimal(1), Decimal(2), Decimal(3), Decimal(4)] for metric in charts.METRICS
            },
        )
        for day in range(days)
    ]


def test_a_few_dates_are_bars_and_many_are_an_area() -> None:
    few = time_charts.segments_over_time(thens(3), NAMES).to_dict()
    many = time_charts.segments_over_time(thens(41), NAMES).to_dict()
    assert (few["mark"]["type"], many["layer"][0]["mark"]["type"]) == ("bar", "area")


def test_a_segment_has_the_colour_of_its_rank() -> None:
    drawn = charts.svg(time_charts.segments_over_time(thens(2), NAMES))
    assert charts.colour(0, 2) in drawn and charts.colour(1, 2) in drawn
    assert ">Best<" in drawn and ">Last<" in drawn


def test_a_share_without_a_meaning_is_not_drawn() -> None:
    chart = time_charts.revenue_shares_over_time(thens(1), NAMES).to_dict()
    (rows,) = chart["datasets"].values() if "datasets" in chart else [chart["data"]["values"]]
    assert [(row["segment"], row["share"]) for row in rows] == [("Best", 0.9)]


@pytest.mark.parametrize(
    "chart",
    [
        time_charts.segments_over_time([], []),
        time_charts.revenue_shares_over_time([], []),
        time_charts.cut_points_over_time("frequency", []),
        time_charts.rejects_over_time({}),
    ],
)
def test_nothing_has_charts_too(chart: TopLevelMixin) -> None:
    assert charts.svg(chart).startswith("<svg")


def test_reasons_are_text() -> None:
    drawn = charts.svg(time_charts.rejects_over_time({date(2011, 12, 1): {"<script>_1": 0.5}}))
    assert "<script" not in drawn
    assert "&lt;script&gt; 1" in drawn
