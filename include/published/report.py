"""report.html: a snapshot on two pages, to be opened, mailed and printed. It needs nothing from outside."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import altair as alt
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from include.lake.record import InputFile
from include.lake.state import Stages
from include.landing.notation import without_proofs
from include.pipeline import REPORT
from include.published import charts
from include.published.snapshot import (
    Segment,
    read_cut_points,
    read_movement,
    read_segments,
    read_spread,
)
from include.published.tables import NO_LONGER, NOT_YET
from include.settings import RunConfig

MOST_LISTED = 20  # files, or ways of reading them

T = TypeVar("T")

TEMPLATES = Environment(
    loader=PackageLoader("include.published"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@dataclass(frozen=True)
class Made:
    """What made a snapshot, as far as its report says so."""

    as_of: date
    config: RunConfig
    stages: Stages
    warnings: Sequence[str]
    files: Mapping[str, InputFile]


@dataclass(frozen=True)
class Reading:
    """Landed files that were read alike."""

    how: str
    files: int
    lines: int
    first: str


def write_report(folder: Path, made: Made) -> None:
    """Write the report of the snapshot in a folder. Raises OutdatedError where a file of it is missing."""
    page = TEMPLATES.get_template("report.html")
    (folder / REPORT).write_text(page.render(**content(folder, made)), encoding="utf-8")


def content(folder: Path, made: Made) -> dict[str, object]:
    segments = read_segments(folder, made.config.segment_map)
    settings = made.config.settings
    return {
        "made": made,
        "settings": settings,
        "compared": made.as_of - timedelta(days=settings.compare_days),
        "segments": segments,
        "colours": {s.name: charts.colour(s.rank, len(segments)) for s in segments},
        "all_customers": sum(s.customers for s in segments),
        "all_revenue": sum((s.revenue for s in segments), Decimal(0)),
        "all_orders": sum(s.orders for s in segments),
        "landed": made.stages["ingest"].rows_in,
        "kept": made.stages["clean"].rows_out,
        "rejects": rejects(made.stages),
        "readings": readings(made.files)[:MOST_LISTED],
        "not_counted": shown(made.stages["ingest"].files_not_counted or {}),
        "gone": shown(made.stages["ingest"].files_gone or {}),
        "cuts": read_cut_points(folder),
        "charts": drawn(folder, segments),
        "count": count,
        "share": share,
        "change": change,
    }


def rejects(stages: Stages) -> list[tuple[str, int]]:
    """Lines by reason, the most first."""
    found = Counter(stages["ingest"].rejects) + Counter(stages["clean"].rejects)
    return found.most_common()


def readings(files: Mapping[str, InputFile]) -> list[Reading]:
    """The ways in which files were read, the most frequent first."""
    alike = defaultdict[str, list[str]](list)
    for name, file in sorted(files.items()):
        alike[without_proofs(file.read_as or "")].append(name)
    found = [
        Reading(how, len(names), sum(files[name].rows for name in names), names[0])
        for how, names in alike.items()
    ]
    return sorted(found, key=lambda reading: -reading.files)


def shown(found: Mapping[str, T]) -> list[tuple[str, T]]:
    """The first of so many that the report stays small; the data quality page has all."""
    return list(found.items())[:MOST_LISTED]


def drawn(folder: Path, segments: Sequence[Segment]) -> Mapping[str, Markup]:
    """The charts as SVG, by name. What is drawn is text to the library, so it can be trusted as markup."""
    return {name: Markup(charts.svg(chart)) for name, chart in snapshot_charts(folder, segments).items()}


def snapshot_charts(folder: Path, segments: Sequence[Segment]) -> Mapping[str, alt.TopLevelMixin]:
    """The charts by name, for the report and the overview."""
    spread, cuts = read_spread(folder), read_cut_points(folder)
    names = [segment.name for segment in segments]
    return {
        "segments": charts.segment_tree(segments),
        "scores": charts.score_map(spread),
        "movement": charts.movement_map(read_movement(folder), names, [NOT_YET, NO_LONGER]),
        "countries": charts.country_bars(spread.countries),
        **{metric: charts.spread_of(metric, spread, cuts.get(metric, [])) for metric in charts.METRICS},
    }


# -- numbers for people -------------------------------------------------------------------------


def count(value: float | Decimal | None, decimals: int = 0) -> str:
    return "" if value is None else f"{value:,.{decimals}f}"


def share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def change(segment: Segment) -> str:
    difference = segment.customers - segment.customers_before
    return f"{difference:+,}" if difference else "0"
