"""The overview: what the report of a snapshot shows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from include.lake.record import RunRecord, read_run_record
from include.lake.state import all_warnings
from include.pages.live_charts import figure
from include.pages.sorting import Column, Table, View, file_of
from include.pipeline import REPORT
from include.published import charts
from include.published.report import rejects, snapshot_charts
from include.published.snapshot import Segment, read_segments

SEGMENTS = Table[Segment](
    "segments",
    [
        Column("segment", "segment", lambda segment: segment.name, key=lambda segment: segment.rank),
        Column("customers", "customers", lambda segment: segment.customers),
        Column("change", "change", lambda segment: segment.customers - segment.customers_before),
        Column("customer_share", "share", lambda segment: segment.customer_share),
        Column("revenue", "spent", lambda segment: segment.revenue),
        Column("revenue_share", "share of it", lambda segment: segment.revenue_share),
        Column("avg_recency_days", "days ago", lambda segment: segment.recency_days),
        Column("avg_frequency", "orders", lambda segment: segment.frequency),
        Column("median_monetary", "spend", lambda segment: segment.monetary),
        Column("description", "meaning", lambda segment: segment.description, style="words"),
    ],
    start="segment",
)
Reject = tuple[str, int]  # a reason, and the lines that have it
REJECTS = Table[Reject](
    "rejects",
    [
        Column("reason", "reason", lambda reject: reject[0]),
        Column("lines", "lines", lambda reject: reject[1]),
    ],
    start="-lines",
)


@dataclass(frozen=True)
class Overview:
    dag_run: str
    published_at: str
    has_report: bool  # older snapshots have none
    compared: date | None  # what the movement is since
    segments: Sequence[Segment]
    colours: Mapping[str, str]  # of the segments
    charts: Mapping[str, Markup]
    warnings: Sequence[str]
    rejects: Sequence[Reject]

    @property
    def customers(self) -> int:
        return sum(segment.customers for segment in self.segments)

    @property
    def orders(self) -> int:
        return sum(segment.orders for segment in self.segments)

    @property
    def revenue(self) -> Decimal:
        return sum((segment.revenue for segment in self.segments), Decimal(0))


# A version of a snapshot never changes, and drawing it takes seconds.
@lru_cache(maxsize=32)
def read_overview(folder: Path) -> Overview:
    """The overview of the snapshot in a folder. Raises OutdatedError where a file is missing or damaged."""
    record = read_run_record(folder)
    segments = read_segments(folder, record.config.segment_map)
    return Overview(
        dag_run=record.dag_run,
        published_at=record.published_at,
        has_report=(folder / REPORT).is_file(),
        compared=compared(record),
        segments=segments,
        colours={segment.name: charts.colour(segment.rank, len(segments)) for segment in segments},
        charts={name: figure(chart) for name, chart in snapshot_charts(folder, segments).items()},
        warnings=all_warnings(record.stages),
        rejects=rejects(record.stages),
    )


def overview_csv(overview: Overview, view: View, name: str) -> Iterator[bytes]:
    """One of the tables, whole."""
    files = {
        "segments": lambda: SEGMENTS.csv(view, overview.segments),
        "rejects": lambda: REJECTS.csv(view, overview.rejects),
    }
    return file_of(name, files)


def compared(record: RunRecord) -> date | None:
    """The comparison date. None where the configuration of that time had none."""
    settings = record.config.__pydantic_extra__.get("settings")
    days = settings.get("compare_days") if isinstance(settings, dict) else None
    return record.as_of - timedelta(days=days) if isinstance(days, int) else None
