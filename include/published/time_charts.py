"""The charts over many snapshots, in the theme of charts.py."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import altair as alt

from include.published.charts import GRID, INK, METRICS, colour, configured
from include.published.over_time import Then

MOST_BARS = 40  # of dates; more become an area
Row = Mapping[str, Any]
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
    chart = base(rows, 170, width=230)
    lines = chart.mark_line(color="#31688e", interpolate="step-after", point=points).encode(
        x=days_axis(ticks=4),
        y=alt.Y("value:Q", title=METRICS[metric], axis=alt.Axis(format="~s", tickCount=4)),
        detail="cut:N",
    )
    latest = thens[-1].cut_points.get(metric, []) if thens else []
    where = ", ".join(f"{cut:,}" for cut in latest)
    cuts = [{"as_of": row["as_of"], "name": f"cut {row['cut']}", "value": row["value"]} for row in rows]
    shown = lines + at_pointer(chart, cuts, ",.2~f")
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


def base(rows: Iterable[Row], height: int, width: int = 620) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=list(rows)), width=width, height=height)


def stacked(rows: Sequence[Row], name: str, value: str, scale: alt.Scale) -> alt.TopLevelMixin:
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
    number = ".1%" if value == "share" else ","
    if few:
        return shown.encode(
            tooltip=[
                alt.Tooltip("as_of:N", title="as of"),
                alt.Tooltip(f"{name}:N"),
                alt.Tooltip(f"{value}:Q", format=number),
            ]
        )
    named = [{"as_of": row["as_of"], "name": row[name], "value": row[value]} for row in rows]
    return shown + at_pointer(chart, named, number)


def at_pointer(chart: alt.Chart, rows: Sequence[Row], number: str) -> alt.Chart:
    """A line at the date nearest to the pointer, which says all values of that date. `rows` have as_of, name
    and value. Names may be any text, so the columns of a date are numbered."""
    columns = {name: f"v{place}" for place, name in enumerate(dict.fromkeys(row["name"] for row in rows))}
    dates: dict[str, dict[str, Any]] = {}
    for row in rows:
        dates.setdefault(row["as_of"], {"as_of": row["as_of"]})[columns[row["name"]]] = row["value"]
    # Not as_of:N, which Vega-Lite does not find in a selection of what is nearest.
    day = alt.Tooltip("as_of:T", timeUnit="utcyearmonthdate", format="%Y-%m-%d", title="as of")
    values = [alt.Tooltip(f"{column}:Q", title=name, format=number) for name, column in columns.items()]
    nearest = alt.selection_point(
        on="pointermove", clear="pointerout", nearest=True, encodings=["x"], empty=False
    )
    line: alt.Chart = (
        chart.properties(data=alt.InlineData(values=list(dates.values())))
        .mark_rule(color=GRID)
        .encode(
            x="as_of:T",
            opacity=alt.condition(nearest, alt.value(1), alt.value(0)),
            tooltip=[day, *values],
        )
        .add_params(nearest)
    )
    return line


def segment_scale(names: Sequence[str]) -> alt.Scale:
    """The colour of each segment by its rank."""
    return alt.Scale(domain=list(names), range=[colour(rank, len(names)) for rank in range(len(names))])


def days_axis(ticks: int = 8) -> alt.X:
    return alt.X(
        "as_of:T",
        title=None,
        scale=alt.Scale(type="utc"),  # a date is the same date wherever the page is read
        axis=alt.Axis(format="%Y-%m-%d", tickCount=ticks, labelOverlap=True, grid=False),
    )


def legible(chart: alt.TopLevelMixin, description: str) -> alt.TopLevelMixin:
    """In the theme, with a legend in the colour of the text."""
    themed: alt.TopLevelMixin = configured(chart, description).configure_legend(
        labelColor=INK, symbolOpacity=1, labelFontSize=11
    )
    return themed
