"""The charts: colours, what is drawn, and what a screen reader says."""

import re
from collections import Counter
from decimal import Decimal

import pytest
from altair import TopLevelMixin

from include.published import charts
from include.published.snapshot import Country, Move, Segment, Spread


def segment(rank: int, customers: int) -> Segment:
    return Segment(
        rank=rank,
        name=f"Segment {rank}",
        description="",
        customers=customers,
        customers_before=0,
        customer_share=customers / 100,
        orders=1,
        revenue=Decimal(1),
        revenue_share=None,
        recency_days=None,
        frequency=None,
        monetary=None,
    )


EMPTY = Spread(Counter(), Counter(), Counter(), Counter(), [])
SPREAD = Spread(
    recency_days=Counter({1: 5, 100: 2}),
    frequency=Counter({1: 98, 2: 1, 500: 1}),
    monetary=Counter({0: 1, 16: 3}),
    recency_frequency=Counter({(5, 5): 1234}),
    countries=[Country("EIRE", 10, Decimal(5)), Country("", 1, Decimal(1))],
)


def luminance(colour: str) -> float:
    red, green, blue = charts.rgb(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("ranks", [1, 2, 10, 11, 25])
def test_each_rank_has_a_colour_that_is_brighter_than_the_one_before(ranks: int) -> None:
    """Brightness is what people who see colours differently see alike."""
    colours = [charts.colour(rank, ranks) for rank in range(ranks)]
    assert colours[0] == "#440154"
    brightness = [luminance(colour) for colour in colours]
    assert brightness == sorted(set(brightness))


@pytest.mark.parametrize(
    "chart",
    [
        charts.segment_tree([segment(0, 60), segment(1, 40)]),
        charts.score_map(SPREAD),
        *[charts.spread_of(metric, SPREAD, [Decimal(7), Decimal(70)]) for metric in charts.METRICS],
        charts.movement_map([Move("A", "B", 3), Move("B", "B", 4)], ["A", "B"], ["New"]),
        charts.country_bars(SPREAD.countries),
    ],
)
def test_each_chart_follows_the_schema_of_vega_lite(chart: TopLevelMixin) -> None:
    """`svg` does not look at the schema, because that takes a while."""
    assert chart.to_dict(validate=True)["description"]


def test_segments_are_drawn_with_their_numbers_as_far_as_there_is_room() -> None:
    drawn = charts.svg(charts.segment_tree([segment(0, 60), segment(1, 39), segment(2, 0), segment(3, 1)]))
    assert "Segment 0" in drawn and "60.0%" in drawn and charts.colour(0, 4) in drawn
    assert "Segment 2" not in drawn, "it has no customers"
    assert "The largest is Segment 0." in drawn


def test_the_score_map_has_all_25_pairs() -> None:
    chart = charts.score_map(SPREAD).to_dict()
    (rows,) = chart["datasets"].values() if "datasets" in chart else [chart["data"]["values"]]
    assert len(rows) == 25
    assert sum(row["customers"] for row in rows) == 1234


def test_orders_beyond_the_99th_percentile_are_in_the_last_bar() -> None:
    bars = charts.bars("frequency", SPREAD)
    assert [(bar["start"], bar["customers"]) for bar in bars] == [(1, 98), (2, 2)]


def test_cut_points_are_in_the_picture_and_in_the_words() -> None:
    drawn = charts.svg(charts.spread_of("recency_days", SPREAD, [Decimal(7), Decimal(70)]))
    assert drawn.count("stroke-dasharray") == 2
    assert "cut points of the scores at 7, 70" in drawn


def test_movement_has_the_segments_in_their_order_and_leaves_out_empty_ones() -> None:
    moves = [Move("B", "A", 3), Move("New", "B", 2)]
    drawn = charts.svg(charts.movement_map(moves, ["A", "B", "C"], ["New", "Gone"]))
    for name in ("A", "B", "New"):
        assert f">{name}<" in drawn
    assert ">C<" not in drawn and ">Gone<" not in drawn


def test_text_from_data_stays_text() -> None:
    drawn = charts.svg(charts.country_bars([Country("<script>alert(1)</script>", 1, Decimal(1))]))
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn


def test_text_takes_the_colour_of_the_page() -> None:
    assert "currentColor" in charts.svg(charts.country_bars(SPREAD.countries))


@pytest.mark.parametrize(
    "chart",
    [
        charts.segment_tree([]),
        charts.score_map(EMPTY),
        *[charts.spread_of(metric, EMPTY, []) for metric in charts.METRICS],
        charts.movement_map([], [], []),
        charts.country_bars([]),
    ],
)
def test_a_snapshot_without_customers_has_charts_too(chart: TopLevelMixin) -> None:
    assert charts.svg(chart).startswith("<svg")


def test_a_screen_reader_says_the_description_and_no_single_mark() -> None:
    drawn = charts.svg(charts.country_bars(SPREAD.countries))
    description = "Number of customers in the countries with the most of them."
    assert re.match(rf'<svg role="img" aria-label="{description}" [^>]*><g aria-hidden="true" ', drawn)
    assert re.sub(r"<g[ >].*</g>", "", drawn).endswith("></svg>"), "all marks are in that group"
