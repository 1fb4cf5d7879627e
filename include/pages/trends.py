"""Customers, revenue shares and cut points over all snapshots of a variant."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from pathlib import Path

from markupsafe import Markup

from include.lake.record import read_run_record
from include.pages.chosen import Chosen, read_each
from include.pages.live_charts import figure
from include.pages.sorting import Column, Table, TablePage, View
from include.published import charts, time_charts
from include.published.catalog import SnapshotName
from include.published.files import csv_lines, header
from include.published.over_time import Then, read_then

COLUMNS = ["as_of", "segment", "customers", "customer_share", "revenue", "revenue_share"]


@dataclass(frozen=True)
class Trends:
    dates: TablePage[Then]
    names: Sequence[str]  # of the segments
    left_out: Mapping[SnapshotName, str]  # snapshots that cannot be read, with the reason
    charts: Mapping[str, Markup]


def read_trends(chosen: Chosen, view: View) -> Trends:
    """Names and ranks of the segments are those of the chosen snapshot."""
    names = tuple(read_run_record(chosen.folder).config.segment_map.names)
    folders, left_out = readable(chosen)
    thens = [read_then(folder, as_of) for as_of, folder in folders.items()]
    dates = dates_table(names).shown(view, thens)
    return Trends(dates, names, left_out, drawn(tuple(folders.items()), names))


def dates_table(names: Sequence[str]) -> Table[Then]:
    columns: list[Column[Then]] = [
        Column("as_of", "as of", lambda then: then.as_of),
        Column("all", "all", lambda then: then.customers),
        Column("spent", "spent", lambda then: then.revenue),
        *[Column(name, name, partial(customers_of, name)) for name in names],
    ]
    return Table("dates", columns, start="-as_of", alone=True)


def customers_of(segment: str, then: Then) -> int | None:
    return then.segments[segment].customers if segment in then.segments else None


def readable(chosen: Chosen) -> tuple[dict[date, Path], dict[SnapshotName, str]]:
    """The folders of all snapshots of the variant, the oldest first, and those that cannot be read."""
    folders, left_out = read_each(reversed(chosen.alike), readable_folder)
    return {name.as_of: folder for name, folder in folders.items()}, left_out


def readable_folder(folder: Path, name: SnapshotName) -> Path:
    read_then(folder, name.as_of)
    return folder


@lru_cache(maxsize=8)
def drawn(folders: tuple[tuple[date, Path], ...], names: tuple[str, ...]) -> dict[str, Markup]:
    """The charts by name."""
    thens = [read_then(folder, as_of) for as_of, folder in folders]
    found = {
        "segments": time_charts.segments_over_time(thens, names),
        "revenue": time_charts.revenue_shares_over_time(thens, names),
        **{metric: time_charts.cut_points_over_time(metric, thens) for metric in charts.METRICS},
    }
    return {name: figure(chart) for name, chart in found.items()}


def trends_csv(chosen: Chosen) -> Iterator[bytes]:
    """One row for each date and segment."""
    yield header(COLUMNS)
    folders, _ = readable(chosen)
    for as_of, folder in folders.items():
        then = read_then(folder, as_of)
        yield csv_lines({"as_of": then.as_of, **vars(segment)} for segment in then.segments.values())
