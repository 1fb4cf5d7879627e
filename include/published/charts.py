"""The charts of a snapshot, as Altair specifications. Report, pages and notebooks show these and no others.

All are in one theme: a colour for each segment by its rank, which people who see colours differently can tell
apart, and text in the colour of the page around it. Each says in words what it shows, for screen readers.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import Any

import altair as alt
import squarify
import vl_convert
from altair.utils.schemapi import disable_debug_mode

from include.published.snapshot import Country, Move, Segment, Spread, bin_start

# Altair would look at the schema of each part of a chart as it is made, and at all its rows: 0.2 s for a
# report, seconds for the trends of a year. The unit tests look at that of whole charts.
disable_debug_mode()

# Viridis, from the best segment to the last, in steps of equal brightness.
PALETTE = [
    "#440154",
    "#482878",
    "#3e4a89",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6ece58",
    "#b5de2b",
    "#fde725",
]
INK, GRID = "currentColor", "#808080"  # ink is the colour of the text around the chart
LOW, HIGH = "#e8eef3", "#08306b"  # cells with few and with most
FONT = "system-ui, sans-serif"
TREE_WIDTH, TREE_HEIGHT = 900, 260
LETTER_WIDTH, LINE_HEIGHT = 6.4, 15
METRICS = {"recency_days": "days since the last purchase", "frequency": "orders", "monetary": "spent"}
Specification = dict[str, Any]  # as Vega-Lite reads it, or a part of one


def colour(rank: int, ranks: int) -> str:
    """The colour of a segment."""
    place = rank / max(ranks - 1, 1) * (len(PALETTE) - 1)
    low = min(int(place), len(PALETTE) - 2)
    pairs = zip(rgb(PALETTE[low]), rgb(PALETTE[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (place - low)):02x}" for a, b in pairs)


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def text_on(background: str) -> str:
    """Black or white, whichever is easier to read."""
    red, green, blue = (value / 255 for value in rgb(background))
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45 else "#ffffff"


def white_where(dark: Any) -> Any:
    """The colour of labels on cells: white where they are dark, or else black."""
    return alt.condition(dark, alt.value("#ffffff"), alt.value("#000000"))


def configured(chart: alt.TopLevelMixin, description: str, padding: int = 16) -> alt.TopLevelMixin:
    """A chart in the theme. Its padding is room for text that a browser's font makes longer."""
    axis: Specification = {
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": GRID,
        "gridOpacity": 0.25,
        "domainColor": GRID,
    }
    sides = {"left": padding, "right": padding, "top": 5, "bottom": 5}
    themed: alt.TopLevelMixin = (
        chart.properties(description=description, background="transparent", padding=sides)
        .configure(font=FONT)
        .configure_axis(**axis, tickColor=GRID, titleFontWeight="normal", labelFontSize=11, titleFontSize=11)
        .configure_view(stroke=None)
        .configure_text(color=INK)
    )
    return themed


def svg(chart: alt.TopLevelMixin) -> str:
    """The chart as SVG for an HTML page: a screen reader says its description and not each of its marks."""
    return svg_of(specification_of(chart))


def specification_of(chart: alt.TopLevelMixin) -> Specification:
    """As Vega-Lite reads it."""
    found: Specification = chart.to_dict(validate=False)
    return found


def svg_of(specification: Specification) -> str:
    """A specification as SVG, likewise."""
    drawn: str = vl_convert.vegalite_to_svg(specification)
    label = f'<svg role="img" aria-label="{escape(specification["description"])}"'
    return drawn.replace("<svg", label, 1).replace("<g", '<g aria-hidden="true"', 1)


# -- charts -------------------------------------------------------------------------------------


def segment_tree(segments: Sequence[Segment]) -> alt.TopLevelMixin:
    """Segments as areas by their number of customers."""
    width, height = TREE_WIDTH, TREE_HEIGHT
    shown = sorted((segment for segment in segments if segment.customers), key=lambda s: -s.customers)
    sizes = squarify.normalize_sizes([segment.customers for segment in shown], width, height)
    places = squarify.squarify(sizes, 0, 0, width, height)
    rows = [tree_row(segment, place, len(segments)) for segment, place in zip(shown, places, strict=True)]
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, width], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[height, 0], nice=False))
    base = alt.Chart(alt.InlineData(values=rows), width=width, height=height)
    tooltip = [
        alt.Tooltip("segment:N"),
        alt.Tooltip("customers:Q", format=","),
        alt.Tooltip("share:Q", format=".1%"),
    ]
    area = base.mark_rect(stroke="white", strokeWidth=2).encode(
        x=x, y=y, x2="x2:Q", y2="y2:Q", color=alt.Color("colour:N", scale=None), tooltip=tooltip
    )
    label = base.mark_text(align="left", baseline="top", dx=7, dy=7, lineBreak="\n", fontSize=11.5).encode(
        x=x, y=y, text="label:N", color=alt.Color("ink:N", scale=None)
    )
    largest = shown[0] if shown else None
    description = (
        f"Areas by the number of customers of each segment. The largest is {largest.name}." if largest else ""
    )
    return configured(area + label, description or "No customers.", padding=0)


def tree_row(segment: Segment, place: Mapping[str, float], ranks: int) -> dict[str, object]:
    """The area of a segment, with as much of its label as there is room for."""
    own = colour(segment.rank, ranks)
    room = (place["dx"] - 10) / LETTER_WIDTH
    name = [segment.name] if len(segment.name) <= room else segment.name.split()
    lines = [*name, f"{segment.customers:,}", f"{segment.customer_share:.1%}"]
    shown = lines[: int((place["dy"] - 8) // LINE_HEIGHT)] if max(map(len, lines)) <= room else []
    return {
        "segment": segment.name,
        "customers": segment.customers,
        "share": segment.customer_share,
        "x": place["x"],
        "y": place["y"],
        "x2": place["x"] + place["dx"],
        "y2": place["y"] + place["dy"],
        "colour": own,
        "ink": text_on(own),
        "label": "\n".join(shown),
    }


def score_map(spread: Spread) -> alt.TopLevelMixin:
    """Customers by recency and frequency score."""
    rows = [
        {"R": r, "F": f, "customers": spread.recency_frequency[r, f]}
        for r in range(1, 6)
        for f in range(1, 6)
    ]
    most = max((row["customers"] for row in rows), default=0)
    base = alt.Chart(alt.InlineData(values=rows), width=260, height=220).encode(
        x=alt.X("R:O", title="recency score (5: bought lately)", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("F:O", title="frequency score (5: orders often)", sort="descending"),
        tooltip=[
            alt.Tooltip("R:O", title="recency score"),
            alt.Tooltip("F:O", title="frequency score"),
            alt.Tooltip("customers:Q", format=","),
        ],
    )
    scale = alt.Scale(range=["#dde8f0", "#08306b"], domain=[0, max(most, 1)])
    cells = base.mark_rect().encode(color=alt.Color("customers:Q", scale=scale, legend=None))
    dark = alt.datum.customers > most * 0.55
    labels = base.mark_text(fontSize=11).encode(
        text=alt.Text("customers:Q", format=","),
        color=white_where(dark),
    )
    return configured(
        cells + labels, "Number of customers for each pair of recency score and frequency score."
    )


def spread_of(metric: str, spread: Spread, cuts: Sequence[Decimal]) -> alt.TopLevelMixin:
    """How the customers are spread over a metric, with its cut points."""
    rows = bars(metric, spread)
    scale = alt.Scale(type="log", nice=False) if metric == "monetary" else alt.Scale(nice=False)
    axis = alt.Axis(format="~s", tickCount=5, grid=False)
    x = alt.X("start:Q", title=METRICS[metric], scale=scale, axis=axis)
    base = alt.Chart(alt.InlineData(values=rows), width=180, height=120)
    counted = base.mark_rect(color="#31688e", stroke="white", strokeWidth=0.5).encode(
        x=x,
        x2="end:Q",
        y2=alt.datum(0),
        y=alt.Y("customers:Q", title="customers", axis=alt.Axis(format="~s", tickCount=3)),
        tooltip=[
            alt.Tooltip("start:Q", title=f"{METRICS[metric]} from", format=",.0f"),
            alt.Tooltip("end:Q", title="to below", format=",.0f"),
            alt.Tooltip("customers:Q", format=","),
        ],
    )
    last = max((float(str(row["end"])) for row in rows), default=1)
    lines = [{"cut": min(max(float(cut), 1), last)} for cut in cuts]
    marks = (
        alt.Chart(alt.InlineData(values=lines))
        .mark_rule(color="#d1495b", strokeDash=[3, 2])
        .encode(x="cut:Q")
    )
    where = ", ".join(f"{cut:,}" for cut in cuts)
    return configured(
        counted + marks, f"Customers by {METRICS[metric]}, with the cut points of the scores at {where}."
    )


def bars(metric: str, spread: Spread) -> list[dict[str, float]]:
    """The bars of a histogram. Orders beyond the 99th percentile are in the last one."""
    if metric == "monetary":
        found = spread.monetary
        return [
            {"start": bin_start(n), "end": bin_start(n + 1), "customers": found[n]} for n in sorted(found)
        ]
    found = spread.recency_days if metric == "recency_days" else spread.frequency
    if not found:
        return []
    most = percentile(found, 0.99) if metric == "frequency" else max(found)
    step = max(1, math.ceil(most / 30))
    binned: dict[int, int] = {}
    for value, customers in found.items():
        start = min(value, most) // step * step
        binned[start] = binned.get(start, 0) + customers
    return [{"start": start, "end": start + step, "customers": binned[start]} for start in sorted(binned)]


def percentile(found: Mapping[int, int], share: float) -> int:
    """The least value that is at least as large as this share of all."""
    rest = share * sum(found.values())
    for value in sorted(found):
        rest -= found[value]
        if rest <= 0:
            return value
    return max(found)


def movement_map(moves: Sequence[Move], names: Sequence[str], others: Sequence[str]) -> alt.TopLevelMixin:
    """Customers by segment then and segment now. `others` are names for no segment, then or now."""
    then, now = [*names, *others], [*names, *others]
    then = [name for name in then if any(move.before == name for move in moves)]
    now = [name for name in now if any(move.now == name for move in moves)]
    rows = [
        {"then": move.before, "now": move.now, "customers": move.customers, "stays": move.before == move.now}
        for move in moves
    ]
    base = alt.Chart(alt.InlineData(values=rows), width=440, height=20 * max(len(then), 1)).encode(
        x=alt.X("now:N", title="segment now", sort=now, axis=alt.Axis(labelAngle=-40, orient="top")),
        y=alt.Y("then:N", title="segment then", sort=then),
        tooltip=[alt.Tooltip("then:N"), alt.Tooltip("now:N"), alt.Tooltip("customers:Q", format=",")],
    )
    most = max((move.customers for move in moves), default=1)
    scale = alt.Scale(type="log", range=[LOW, HIGH], domain=[1, max(most, 2)])
    cells = base.mark_rect().encode(
        color=alt.condition(
            alt.datum.stays, alt.value("#c9c9c9"), alt.Color("customers:Q", scale=scale, legend=None)
        )
    )
    dark = f"!datum.stays && datum.customers > {max(most, 2) ** 0.6}"
    labels = base.mark_text(fontSize=10).encode(
        text=alt.Text("customers:Q", format=","),
        color=white_where(dark),
    )
    return configured(cells + labels, "Number of customers for each segment then and segment now.")


def country_bars(countries: Sequence[Country], most: int = 10) -> alt.TopLevelMixin:
    """The countries with the most customers."""
    rows = [{"country": c.name or "unknown", "customers": c.customers} for c in countries[:most]]
    base = alt.Chart(alt.InlineData(values=rows), width=260, height=20 * max(len(rows), 1)).encode(
        y=alt.Y("country:N", sort=None, title=None),
        x=alt.X("customers:Q", axis=None),
        tooltip=[alt.Tooltip("country:N"), alt.Tooltip("customers:Q", format=",")],
    )
    labels = base.mark_text(align="left", dx=4, fontSize=11).encode(text=alt.Text("customers:Q", format=","))
    bars = base.mark_bar(color="#31688e")
    return configured(bars + labels, "Number of customers in the countries with the most of them.")
