"""The charts over many snapshots, in the theme of charts.py."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import altair as alt

from include.published.charts import GRID, INK, METRICS, colour, configured
from include.published.over_time import Then

MOST_BARS = 40  # of dates; more become an area
REJECT_COLOURS = ["#440154", "#31688e", "#35b779", "#b5de2b", "#8a8a8a", "#d1495b", "#edae49", "#5d6b7a"]


def segments_over_time(thens: Sequence[Then], names: Sequence[str]) -> alt.TopLevelMixin:
    """Customers of each segment by date, the best segment at the bottom."""
    rows = [
        {"as_of": then.as_of.isoformat(), "segment": name, "rank": rank, "customers": segment.customers}
        for then in thens
        for rank, name in enumerate(names)
        if (segment := then.segments.get(name))
    ]
    chart = stacked(rows, "segment", "customers", segment_scale(names))
    return legible(chart, "Customers of each segment by as-of date.")


def revenue_shares_over_time(thens: Sequence[Then], names: Sequence[str]) -> alt.TopLevelMixin:
    """Each segment's share of the revenue by date."""
    rows = [
        {"as_of": then.as_of.isoformat(), "segment": name, "rank": rank, "share": segment.revenue_share}
        for then in thens
        for rank, name in enumerate(names)
        if (segment := then.segments.get(name)) and segment.revenue_share is not None
    ]
    chart = stacked(rows, "segment", "share", segment_scale(names))
    return legible(chart, "Each segment's share of what was spent, by as-of date.")


def cut_points_over_time(metric: str, thens: Sequence[Then]) -> alt.TopLevelMixin:
    """The four cut points of a metric by date."""
    rows = [
        {"as_of": then.as_of.isoformat(), "cut": f"{number}", "value": float(value)}
        for then in thens
        for number, value in enumerate(then.cut_points.get(metric, []), 1)
    ]
    points = alt.OverlayMarkDef(size=14, color="#31688e") if len(thens) <= MOST_BARS else False
    lines = base(rows, 170, width=230).mark_line(color="#31688e", interpolate="step-after", point=points)
    shown = lines.encode(
        x=days_axis(ticks=4),
        y=alt.Y("value:Q", title=METRICS[metric], axis=alt.Axis(format="~s", tickCount=4)),
        detail="cut:N",
    )
    latest = thens[-1].cut_points.get(metric, []) if thens else []
    where = ", ".join(f"{cut:,}" for cut in latest)
    return legible(shown, f"Cut points of {METRICS[metric]} by as-of date, at last {where or 'none'}.")


def rejects_over_time(rejects: Mapping[date, Mapping[str, float]]) -> alt.TopLevelMixin:
    """The share of the landed lines that was rejected, by reason and date."""
    reasons = sorted({reason for found in rejects.values() for reason in found})
    rows = [
        {"as_of": day.isoformat(), "reason": reason.replace("_", " "), "rank": rank, "share": found[reason]}
        for day, found in rejects.items()
        for rank, reason in enumerate(reasons)
        if reason in found
    ]
    words = [reason.replace("_", " ") for reason in reasons]
    colours = [REJECT_COLOURS[rank % len(REJECT_COLOURS)] for rank in range(len(words))]
    chart = stacked(rows, "reason", "share", alt.Scale(domain=words, range=colours))
    return legible(chart, "Share of the landed lines that was rejected, by reason and as-of date.")


# -- what they have in common -------------------------------------------------------------------


def base(rows: Iterable[Mapping[str, Any]], height: int, width: int = 620) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=list(rows)), width=width, height=height)


def stacked(rows: Sequence[Mapping[str, Any]], name: str, value: str, scale: alt.Scale) -> alt.TopLevelMixin:
    """Values on top of each other: bars for a few dates, an area for many."""
    few = len({row["as_of"] for row in rows}) <= MOST_BARS
    chart = base(rows, 190)
    # An outline, because the darkest colour can hardly be seen on a dark page.
    marks = (
        chart.mark_bar(stroke=GRID, strokeWidth=0.4) if few else chart.mark_area(stroke=GRID, strokeWidth=0.4)
    )
    dates = alt.Axis(labelOverlap=True, labelAngle=0, labelSeparation=8)
    shown: alt.Chart = marks.encode(
        x=alt.X("as_of:O", title=None, axis=dates) if few else days_axis(),
        y=alt.Y(
            f"{value}:Q", title=value, axis=alt.Axis(format="%" if value == "share" else ",.0f", tickCount=5)
        ),
        color=alt.Color(f"{name}:N", scale=scale, title=None),
        order=alt.Order("rank:Q"),
    )
    return shown


def segment_scale(names: Sequence[str]) -> alt.Scale:
    """The colour of each segment by its rank."""
    return alt.Scale(domain=list(names), range=[colour(rank, len(names)) for rank in range(len(names))])


def days_axis(ticks: int = 8) -> alt.X:
    return alt.X(
        "as_of:T",
        title=None,
        axis=alt.Axis(format="%Y-%m-%d", tickCount=ticks, labelOverlap=True, grid=False),
    )


def legible(chart: alt.TopLevelMixin, description: str) -> alt.TopLevelMixin:
    """In the theme, with a legend in the colour of the text."""
    themed: alt.TopLevelMixin = configured(chart, description).configure_legend(
        labelColor=INK, symbolOpacity=1, labelFontSize=11
    )
    return themed
