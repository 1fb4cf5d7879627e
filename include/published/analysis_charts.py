"""The charts that only the analysis notebook shows, in the theme of `charts`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

import altair as alt

from include.published.charts import HIGH, INK, LOW, PALETTE, configured, svg, white_where

DARK_FROM = 0.55  # of the largest share: labels are white from here on


@dataclass(frozen=True)
class Cell:
    row: str
    column: str
    share: float


@dataclass(frozen=True)
class Point:
    day: date
    line: str
    share: float


@dataclass(frozen=True)
class Picture:
    """A chart in a notebook. In the notebook its text has the colour of the theme; exports get a file with a
    white ground. Nothing is loaded from outside."""

    chart: alt.TopLevelMixin

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        drawn = svg(self.chart)
        on_white = drawn.replace("<svg", '<svg style="background: white"', 1)
        return {"text/html": drawn, "image/svg+xml": on_white}


def share_map(cells: Sequence[Cell], titles: tuple[str, str], description: str) -> alt.TopLevelMixin:
    """Shares by row and column, in the order of the cells. `titles` are those of rows and columns."""
    rows = list(dict.fromkeys(cell.row for cell in cells))
    columns = list(dict.fromkeys(cell.column for cell in cells))
    most = max((cell.share for cell in cells), default=1.0)
    base = alt.Chart(
        alt.InlineData(values=[asdict(cell) for cell in cells]),
        width=42 * max(len(columns), 1),
        height=20 * max(len(rows), 1),
    ).encode(
        x=alt.X("column:N", title=titles[1], sort=columns, axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("row:N", title=titles[0], sort=rows, axis=alt.Axis(titlePadding=30)),
        tooltip=[alt.Tooltip("row:N"), alt.Tooltip("column:N"), alt.Tooltip("share:Q", format=".1%")],
    )
    scale = alt.Scale(range=[LOW, HIGH], domain=[0, most or 1])
    areas = base.mark_rect().encode(color=alt.Color("share:Q", scale=scale, legend=None))
    labels = base.mark_text(fontSize=10).encode(
        text=alt.Text("share:Q", format=".0%"),
        color=white_where(alt.datum.share > most * DARK_FROM),
    )
    return configured(areas + labels, description)


def share_lines(points: Sequence[Point], title: str, description: str) -> alt.TopLevelMixin:
    """Shares over days, a line for each name. A single day is a dot."""
    lines = list(dict.fromkeys(point.line for point in points))
    values = [asdict(point) | {"day": point.day.isoformat()} for point in points]
    ends = PALETTE[:: max(1, (len(PALETTE) - 3) // max(len(lines) - 1, 1))][: len(lines)]
    scale = alt.Scale(domain=lines, range=ends)
    chart = alt.Chart(alt.InlineData(values=values), width=560, height=200)
    drawn = chart.mark_line(point=True).encode(
        x=alt.X("day:T", title=None, axis=alt.Axis(format="%d %b", grid=False)),
        y=alt.Y("share:Q", title=title, axis=alt.Axis(format="%"), scale=alt.Scale(zero=True)),
        color=alt.Color("line:N", scale=scale, legend=alt.Legend(title=None, orient="top", labelColor=INK)),
        tooltip=[alt.Tooltip("day:T"), alt.Tooltip("line:N"), alt.Tooltip("share:Q", format=".1%")],
    )
    return configured(drawn, description)
