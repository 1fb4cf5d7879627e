"""segment: cut points, scores and segments, and how customers moved between segments.

Each metric is scored 1 to 5 against all customers of the same date (k = 5, n customers):
    cut_j   the smallest observed value v with k * count(<= v) >= j * n, for j = 1 to 4
    score   1 + the number of cuts below the value; for recency 5 - that number, less being better
Equal values always score equally. The three digits R, F, M are looked up in the segment map. The
customers of the comparison date are scored in the same way with that date's own cut points, which
gives each customer's previous segment.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from include.lake.state import StageRecord
from include.published.files import write_small_csv
from include.published.tables import (
    CUSTOMER_SEGMENTS,
    NO_LONGER,
    NOT_YET,
    SEGMENT_MOVEMENT,
    SEGMENT_SUMMARY,
)
from include.settings import SegmentMap
from include.spark.columns import small_table, text_array
from include.spark.csv_text import csv_line
from include.spark.dates import SnapshotDate, SnapshotDates, snapshot_dates
from include.spark.job import Run, job
from include.spark.lines import with_dictionaries_for
from include.spark.schemas import MONEY, RFM

SCORES = 5
METRICS = ("recency_days", "frequency", "monetary")
RANK_RANGES = 32  # values are divided into ranges, so that no task ranks all of them
RANK_IN_ONE_TASK_BELOW = 1_000_000  # customers; below it one task is quicker than many

Cuts = Mapping[str, Sequence[Decimal]]  # by metric, four ascending values each; empty without customers
CutsByDate = Mapping[SnapshotDate, Cuts]
SummaryRow = dict[str, str | int | Decimal | None]


class Totals(NamedTuple):
    """Customers of some segments added up."""

    customers: int = 0
    orders: int = 0
    revenue: Decimal = Decimal("0.00")
    recency_days: int = 0

    def plus(self, other: "Totals") -> "Totals":
        return Totals(
            self.customers + other.customers,
            self.orders + other.orders,
            self.revenue + other.revenue,
            self.recency_days + other.recency_days,
        )


class Summaries(NamedTuple):
    """The rows of segment_summary.csv and of segment_movement.csv, and how many customers they count."""

    summary: list[SummaryRow]
    movement: list[SummaryRow]
    customers: int


class SegmentPair(NamedTuple):
    """A segment at the comparison date, and one now; None where the customer did not or does not count."""

    previous: str | None
    current: str | None


# -- ranks --------------------------------------------------------------------------------------


def values_at_ranks(
    values: DataFrame, ranks: Iterable[tuple[str, int]], customers: int
) -> dict[tuple[str, int], Decimal]:
    """The value at each (group, rank), counting from 1 in ascending order.

    `values` has the columns group and value. Exact and distributed: a running count within each range
    of values finds the one at a rank.
    """
    histogram = values.groupBy("group", "value").count()
    histogram = histogram.withColumns({"range": F.lit(0), "start": F.lit(0)})
    if customers >= RANK_IN_ONE_TASK_BELOW:
        histogram = divided_into_ranges(values, histogram)
    wanted = small_table(values.sparkSession, list(ranks), "group string, rank long")
    in_range = (
        Window.partitionBy("group", "range")
        .orderBy("value")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    found = (
        histogram.withColumn("up_to", F.col("start") + F.sum("count").over(in_range))
        .join(F.broadcast(wanted), "group", how="inner")
        .where(F.col("rank").between(F.col("up_to") - F.col("count") + 1, F.col("up_to")))
        .select("group", "rank", "value")
        .collect()
    )
    return {(row["group"], row["rank"]): row["value"] for row in found}


def divided_into_ranges(values: DataFrame, histogram: DataFrame) -> DataFrame:
    """The histogram with the range of each value, and how many values come before its range.

    Rough quantiles are the bounds of the ranges. They only balance the work; no result depends on them.
    """
    spark = values.sparkSession
    steps = F.array(*[F.lit(step / RANK_RANGES) for step in range(1, RANK_RANGES)])
    rough = values.groupBy("group").agg(F.percentile_approx("value", steps, F.lit(1000)).alias("bounds"))
    # Collected, because a rough quantile may come out differently when it is computed again.
    rows = [(row["group"], [str(bound) for bound in row["bounds"]]) for row in rough.collect()]
    bounds = small_table(spark, rows, "group string, bounds array<string>").withColumn(
        "bounds", F.col("bounds").cast("array<decimal(18,2)>")
    )
    in_ranges = (
        histogram.select("group", "value", "count")
        .join(F.broadcast(bounds), "group", how="inner")
        .withColumn("range", F.size(F.filter("bounds", lambda bound: bound < F.col("value"))))
        .drop("bounds")
    )
    counted = in_ranges.groupBy("group", "range").agg(F.sum("count").alias("n")).collect()
    before, starts = Counter[str](), []
    for row in sorted(counted, key=lambda row: (row["group"], row["range"])):
        starts.append((row["group"], row["range"], before[row["group"]]))
        before[row["group"]] += row["n"]
    start = small_table(spark, starts, "group string, range int, start long")
    return in_ranges.join(F.broadcast(start), ["group", "range"], how="inner")


# -- cut points and scores ----------------------------------------------------------------------


def cut_points(customers: DataFrame, counts: Mapping[SnapshotDate, int]) -> dict[SnapshotDate, Cuts]:
    """The cut points of each date. `customers` has the columns of schemas.RFM; `counts` has the number of
    customers of each date, without dates that have none."""
    if not counts:
        return {}

    def group(at: SnapshotDate, metric: str) -> str:
        return at.prefix + metric

    metrics = F.inline(
        F.array(
            *[
                F.struct(
                    F.lit(group(at, metric)).alias("group"), at.column(metric).cast(MONEY).alias("value")
                )
                for at in counts
                for metric in METRICS
            ]
        )
    )
    values = customers.select(metrics).where(F.col("value").isNotNull())
    ranks = {
        (at, metric): [(group(at, metric), -(-j * n // SCORES)) for j in range(1, SCORES)]  # j * n / k, up
        for at, n in counts.items()
        for metric in METRICS
    }
    wanted = {rank for of_metric in ranks.values() for rank in of_metric}
    found = values_at_ranks(values, wanted, max(counts.values()))
    return {at: {metric: [found[rank] for rank in ranks[at, metric]] for metric in METRICS} for at in counts}


def score(at: SnapshotDate, metric: str, cuts: Cuts) -> Column:
    """The score of a metric as of a date; null for a customer who does not count as of it."""
    value = at.column(metric)
    # Days and orders are compared as the whole numbers they are, which is quicker.
    limits = [cut if metric == "monetary" else int(cut) for cut in cuts.get(metric, [])]
    scores = range(SCORES, 0, -1) if metric == "recency_days" else range(1, SCORES + 1)
    column = F.when(value.isNull(), None)
    for limit, score_up_to in zip(limits, scores, strict=False):
        column = column.when(value <= F.lit(limit), score_up_to)
    return column.otherwise(scores[len(limits)])


def segmented(
    customers: DataFrame, dates: SnapshotDates, cuts: CutsByDate, segments: SegmentMap
) -> DataFrame:
    """The customers of both dates with r_score, f_score, m_score, rfm_score (such as 555), segment and
    previous_segment; null as of a date on which the customer does not count."""
    scores = {
        f"{at.prefix}{metric[0]}_score": score(at, metric, cuts.get(at, {}))
        for at in dates
        for metric in METRICS
    }
    # A lookup by position, since a map would be searched from its start. The position is the three digits
    # in base 8: shifted, because checking sums for overflow takes longer than everything else here.
    codes = [f"{position:03o}" for position in range(0o556)]
    by_code = segments.by_code
    names = text_array([by_code.get(code) for code in codes])
    current, previous = position_of_code(dates.current), position_of_code(dates.comparison)
    return customers.withColumns(scores).withColumns(
        {
            "rfm_score": F.get(text_array(codes), current),
            "segment": F.get(names, current),
            "previous_segment": F.get(names, previous),
        }
    )


def position_of_code(at: SnapshotDate) -> Column:
    r, f, m = (at.column(name) for name in ("r_score", "f_score", "m_score"))
    return F.shiftleft(r, 6).bitwiseOR(F.shiftleft(f, 3)).bitwiseOR(m)


# -- summaries ----------------------------------------------------------------------------------


def totals_by_pair(customers: DataFrame) -> dict[SegmentPair, Totals]:
    """Segmented customers added up for each pair of segments."""
    added = customers.groupBy("previous_segment", "segment").agg(
        F.count("*").alias("customers"),
        F.sum("frequency").alias("orders"),
        F.sum("monetary").alias("revenue"),
        F.sum(F.col("recency_days").cast("long")).alias("recency_days"),
    )
    return {
        SegmentPair(row["previous_segment"], row["segment"]): Totals(*(row[name] for name in Totals._fields))
        for row in added.collect()  # at most a row for each pair of segments
    }


def totals_by_segment(pairs: Mapping[SegmentPair, Totals]) -> dict[str, Totals]:
    """The same by current segment; customers who do not count now are left out."""
    found: dict[str, Totals] = {}
    for pair, totals in pairs.items():
        if pair.current is not None:
            found[pair.current] = found.get(pair.current, Totals()).plus(totals)
    return found


def medians(customers: DataFrame, totals: Mapping[str, Totals]) -> dict[str, Decimal | None]:
    """The median of monetary of each segment that has customers, with two decimals."""
    if not totals:
        return {}
    values = customers.select(F.col("segment").alias("group"), F.col("monetary").alias("value"))
    middle = {
        name: ((name, (row.customers + 1) // 2), (name, row.customers // 2 + 1))
        for name, row in totals.items()
    }
    wanted = {rank for pair in middle.values() for rank in pair}
    everybody = sum(row.customers for row in totals.values())
    found = values_at_ranks(values.where("group is not null"), wanted, everybody)
    return {name: ratio(found[lower] + found[upper], 2, 2) for name, (lower, upper) in middle.items()}


def segment_summary(
    totals: Mapping[str, Totals], median_monetary: Mapping[str, Decimal | None], segments: SegmentMap
) -> list[SummaryRow]:
    """A row for every segment of the map, in its order; columns as in tables.SEGMENT_SUMMARY.

    Shares are fractions of 1 with four decimals, averages have two. They are null where there is nobody
    to average, and revenue_share where the total is not above zero.
    """
    all_customers = sum(row.customers for row in totals.values())
    all_revenue = sum((row.revenue for row in totals.values()), Decimal(0))
    rows: list[SummaryRow] = []
    for name in segments.names:
        row = totals.get(name, Totals())
        rows.append(
            {
                "segment": name,
                "customers": row.customers,
                "customer_share": ratio(row.customers, all_customers, 4) or Decimal("0.0000"),
                "orders": row.orders,
                "revenue": row.revenue,
                "revenue_share": ratio(row.revenue, max(all_revenue, Decimal(0)), 4),
                "avg_recency_days": ratio(row.recency_days, row.customers, 2),
                "avg_frequency": ratio(row.orders, row.customers, 2),
                "avg_monetary": ratio(row.revenue, row.customers, 2),
                "median_monetary": median_monetary.get(name),
            }
        )
    return rows


def segment_movement(pairs: Mapping[SegmentPair, Totals], segments: SegmentMap) -> list[SummaryRow]:
    """Customers by previous_segment and segment, in the map's order, with new customers (NOT_YET) and
    lost ones (NO_LONGER) last."""
    order = {name: rank for rank, name in enumerate([*segments.names, NOT_YET, NO_LONGER])}
    moves = {
        (pair.previous or NOT_YET, pair.current or NO_LONGER): totals.customers
        for pair, totals in pairs.items()
    }
    return [
        {"previous_segment": previous, "segment": current, "customers": moves[previous, current]}
        for previous, current in sorted(moves, key=lambda move: (order[move[0]], order[move[1]]))
    ]


def ratio(part: Decimal | int, whole: Decimal | int, places: int) -> Decimal | None:
    """part / whole, rounded half up; null when the whole is zero."""
    if not whole:
        return None
    return (Decimal(part) / Decimal(whole)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


# -- carrying it out ----------------------------------------------------------------------------


def write_segments(
    run: Run, source: Path, counts: Mapping[SnapshotDate, int], dates: SnapshotDates
) -> StageRecord:
    """Write the segmented customers and their summaries; returns the record of `segment`."""
    segments, folder = run.config.segment_map, run.folder / "version"
    customers = run.spark.read.schema(RFM).parquet(str(source / "customers"))
    cuts = cut_points(customers, {at: n for at, n in counts.items() if n})
    with ThreadPoolExecutor(1) as other_core:  # one core plans a query while the other one works
        summarizing = other_core.submit(summaries, segmented(customers, dates, cuts, segments), segments)
        # Sorted before they are scored, since Spark evaluates what it sorts twice.
        current = customers.where(F.col("frequency").isNotNull()).orderBy("customer_id")
        write_customers(segmented(current, dates, cuts, segments), dates.current, folder / "customers")
        summarized = summarizing.result()
    write_small_csv(folder / "segment_summary.csv", SEGMENT_SUMMARY.names, summarized.summary)
    write_small_csv(folder / "segment_movement.csv", SEGMENT_MOVEMENT.names, summarized.movement)
    readable_cuts = readable(cuts.get(dates.current, {}))
    (folder / "cut_points.json").write_text(json.dumps(readable_cuts, indent=2))
    return run.execution.record(counts[dates.current], summarized.customers, {})


def write_customers(segmented: DataFrame, at: SnapshotDate, folder: Path) -> None:
    """Write the customers of a date as published, each with its line of CSV. The date is the same in every
    row, so it is added after the sort."""
    table = segmented.withColumn("as_of", F.lit(at.day)).select(*CUSTOMER_SEGMENTS.names)
    writer = table.select("*", csv_line(table)).write
    writer = with_dictionaries_for(writer, "country", "rfm_score", "segment", "previous_segment")
    writer.parquet(str(folder))


def summaries(customers: DataFrame, segments: SegmentMap) -> Summaries:
    """The summaries of segmented customers."""
    pairs = totals_by_pair(customers)
    totals = totals_by_segment(pairs)
    summary = segment_summary(totals, medians(customers, totals), segments)
    everybody = sum(row.customers for row in totals.values())
    return Summaries(summary, segment_movement(pairs, segments), everybody)


def readable(cuts: Cuts) -> dict[str, list[int | str]]:
    """Cut points for cut_points.json: days and orders as numbers, money as text, so that no reader turns
    it into a binary fraction."""
    return {
        metric: [str(cut) if metric == "monetary" else int(cut) for cut in cuts.get(metric, [])]
        for metric in METRICS
    }


def main(argv: Sequence[str] | None = None) -> None:
    with job("segment", __doc__, argv) as run:
        source, made_by = run.made_before(run.lake.rfm(run.as_of, run.config.variant))
        dates = snapshot_dates(run.as_of, run.config.settings.compare_days)
        customers = made_by.stages["rfm"].customers or {}
        counts = {at: customers[at.day.isoformat()] for at in dates}
        record = run.report(write_segments(run, source, counts, dates))
        link = run.lake.segments(run.as_of, run.config.variant)
        run.commit_version(run.folder / "version", link, made_by.after("segment", run.number, record))


if __name__ == "__main__":
    main()
