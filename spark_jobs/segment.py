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
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from include.published.files import csv_line, write_small_csv
from include.settings import SegmentMap
from include.spark.job import job, small_table, text_array, with_dictionaries_for
from include.spark.schemas import COMPARED, CUSTOMER_SEGMENTS, PENCE, RFM, SEGMENT_MOVEMENT, SEGMENT_SUMMARY

K = 5
METRICS = {"R": "recency_days", "F": "frequency", "M": "monetary"}
NOBODY = {"customers": 0, "orders": 0, "revenue": Decimal("0.00"), "recency": 0}
NOT_YET = "Not yet a customer"
NO_LONGER = "No longer counted"
RANGES = 32  # into which the values are parted, so that no task ranks them all
FEW = 1_000_000  # customers that one task ranks sooner than they are parted


def values_at_ranks(
    values: DataFrame, ranks: Iterable[tuple[str, int]], customers: int
) -> dict[tuple[str, int], Decimal]:
    """The values that stand at the given (group, rank), counting from 1 in ascending order.

    `values` has the columns group and value. Exact and distributed: the values are parted into
    ranges unless they are FEW, and a running count within each range finds the value.
    """
    histogram = values.groupBy("group", "value").count()
    histogram = histogram.withColumns({"range": F.lit(0), "start": F.lit(0)})
    if customers > FEW:
        histogram = parted(values, histogram)
    wanted = small_table(values.sparkSession, list(ranks), "group string, rank long")
    in_range = Window.partitionBy("group", "range").orderBy("value")
    found = (
        histogram.withColumn("up_to", F.col("start") + F.sum("count").over(in_range))
        .join(F.broadcast(wanted), "group", "inner")
        .where(F.col("rank").between(F.col("up_to") - F.col("count") + 1, F.col("up_to")))
        .select("group", "rank", "value")
        .collect()
    )
    return {(row["group"], row["rank"]): row["value"] for row in found}


def parted(values: DataFrame, histogram: DataFrame) -> DataFrame:
    """The histogram with the range of each value, and how many values come before its range.

    Rough quantiles are the bounds of the ranges. They only balance the work; no result depends on
    them.
    """
    spark = values.sparkSession
    steps = F.array(*[F.lit(step / RANGES) for step in range(1, RANGES)])
    rough = values.groupBy("group").agg(F.percentile_approx("value", steps, F.lit(1000)).alias("bounds"))
    # Collected, because a rough quantile may come out differently when it is computed again.
    found = [(row["group"], [str(bound) for bound in row["bounds"]]) for row in rough.collect()]
    bounds = small_table(spark, found, "group string, bounds array<string>").withColumn(
        "bounds", F.col("bounds").cast("array<decimal(18,2)>")
    )
    in_ranges = (
        histogram.select("group", "value", "count")
        .join(F.broadcast(bounds), "group", "inner")
        .withColumn("range", F.size(F.filter("bounds", lambda bound: bound < F.col("value"))))
        .drop("bounds")
    )
    counted = in_ranges.groupBy("group", "range").agg(F.sum("count").alias("n")).collect()
    before, starts = Counter[str](), []
    for row in sorted(counted, key=lambda row: (row["group"], row["range"])):
        starts.append((row["group"], row["range"], before[row["group"]]))
        before[row["group"]] += row["n"]
    start = small_table(spark, starts, "group string, range int, start long")
    return in_ranges.join(F.broadcast(start), ["group", "range"], "inner")


def cut_points(customers: DataFrame, counts: Mapping[str, int]) -> dict[str, dict[str, list[Decimal]]]:
    """For each date the four cut points of R, F and M. A date is the key of its columns' names (""
    or COMPARED); `counts` says how many customers it has, and leaves out a date without any."""
    if not counts:
        return {}
    metrics = F.inline(
        F.array(
            *[
                F.struct(F.lit(key + metric).alias("group"), F.col(key + name).cast(PENCE).alias("value"))
                for key in counts
                for metric, name in METRICS.items()
            ]
        )
    )
    values = customers.select(metrics).where(F.col("value").isNotNull())
    ranks = {
        (key, metric, j): (key + metric, -(-j * n // K))  # j * n / k, rounded up
        for key, n in counts.items()
        for metric in METRICS
        for j in range(1, K)
    }
    found = values_at_ranks(values, set(ranks.values()), max(counts.values()))
    return {
        key: {metric: [found[ranks[key, metric, j]] for j in range(1, K)] for metric in METRICS}
        for key in counts
    }


def scores(key: str, cuts: Mapping[str, Sequence[Decimal]]) -> dict[str, Column]:
    """r_score, f_score and m_score as of a date, from its metrics, with its key before their names; null
    for a customer who does not count as of it. Without a customer there are no cuts."""

    def score(metric: str) -> Column:
        value = F.col(key + METRICS[metric])
        # Days and orders are compared as the whole numbers they are, which is quicker.
        limits = [cut if metric == "M" else int(cut) for cut in cuts.get(metric, [])]
        in_order = range(K, 0, -1) if metric == "R" else range(1, K + 1)
        found = F.when(value.isNull(), None)
        for limit, given in zip(limits, in_order, strict=False):
            found = found.when(value <= F.lit(limit), given)
        return found.otherwise(in_order[len(limits)])

    return {f"{key}{metric.lower()}_score": score(metric) for metric in METRICS}


def segmented(
    customers: DataFrame, cuts: Mapping[str, Mapping[str, Sequence[Decimal]]], segments: SegmentMap
) -> DataFrame:
    """The customers of both dates with r_score, f_score, m_score, rfm_score (such as 555), segment and
    previous_segment; null as of a date on which the customer does not count. `cuts` as from cut_points."""
    # Looked up by place, since a map would be searched from its beginning. The place is the three digits in
    # base 8: shifted, because sums are checked for overflow, which takes longer than all else here.
    codes = [f"{number:03o}" for number in range(0o556)]

    def place(key: str) -> Column:
        r, f, m = (F.col(key + name) for name in ("r_score", "f_score", "m_score"))
        return F.shiftleft(r, 6).bitwiseOR(F.shiftleft(f, 3)).bitwiseOR(m)

    by_code = segments.by_code
    names = text_array([by_code.get(code) for code in codes])
    of_both = scores("", cuts.get("", {})) | scores(COMPARED, cuts.get(COMPARED, {}))
    return customers.withColumns(of_both).withColumns(
        {
            "rfm_score": F.get(text_array(codes), place("")),
            "segment": F.get(names, place("")),
            "previous_segment": F.get(names, place(COMPARED)),
        }
    )


def totals(customers: DataFrame) -> list[dict[str, Any]]:
    """Customers, orders, revenue and recency added up by previous_segment and segment: at most a row
    for each pair of segments."""
    added = customers.groupBy("previous_segment", "segment").agg(
        F.count("*").alias("customers"),
        F.sum("frequency").alias("orders"),
        F.sum("monetary").alias("revenue"),
        F.sum(F.col("recency_days").cast("long")).alias("recency"),
    )
    return [row.asDict() for row in added.collect()]


def segment_summary(
    pairs: Sequence[Mapping[str, Any]], customers: DataFrame, segments: SegmentMap
) -> list[dict[str, Any]]:
    """A row for every segment of the map, in its order; columns as in schemas.SEGMENT_SUMMARY. `pairs`
    are as from totals; medians are looked up in the customers.

    Shares are fractions of 1 with four decimals, averages and the median have two. They are null
    where there is nobody to average, and revenue_share where the total is not above zero.
    """
    found: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        if pair["segment"] is not None:
            sums = found.setdefault(pair["segment"], dict(NOBODY))
            sums.update({name: sums[name] + pair[name] for name in NOBODY})
    middle = {
        name: ((name, (row["customers"] + 1) // 2), (name, row["customers"] // 2 + 1))
        for name, row in found.items()
    }
    values = customers.select(F.col("segment").alias("group"), F.col("monetary").alias("value"))
    all_customers = sum(row["customers"] for row in found.values())
    ranks = {rank for pair in middle.values() for rank in pair}
    at = values_at_ranks(values.where("group is not null"), ranks, all_customers) if found else {}
    all_revenue = sum((row["revenue"] for row in found.values()), Decimal(0))
    rows = []
    for name in segments.names:
        row = found.get(name, NOBODY)
        n = row["customers"]
        rows.append(
            {
                "segment": name,
                "customers": n,
                "customer_share": ratio(n, all_customers, 4) or Decimal("0.0000"),
                "orders": row["orders"],
                "revenue": row["revenue"],
                "revenue_share": ratio(row["revenue"], max(all_revenue, Decimal(0)), 4),
                "avg_recency_days": ratio(row["recency"], n, 2),
                "avg_frequency": ratio(row["orders"], n, 2),
                "avg_monetary": ratio(row["revenue"], n, 2),
                "median_monetary": ratio(at[middle[name][0]] + at[middle[name][1]], 2, 2) if n else None,
            }
        )
    return rows


def segment_movement(pairs: Sequence[Mapping[str, Any]], segments: SegmentMap) -> list[dict[str, Any]]:
    """Customers by previous_segment and segment, in the map's order, those who come (NOT_YET) and
    go (NO_LONGER) last. `pairs` are as from totals."""
    order = {name: rank for rank, name in enumerate([*segments.names, NOT_YET, NO_LONGER])}
    rows = [
        {
            "previous_segment": pair["previous_segment"] or NOT_YET,
            "segment": pair["segment"] or NO_LONGER,
            "customers": pair["customers"],
        }
        for pair in pairs
    ]
    return sorted(rows, key=lambda row: (order[row["previous_segment"]], order[row["segment"]]))


def summaries(
    customers: DataFrame, segments: SegmentMap
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of segment_summary.csv and of segment_movement.csv."""
    pairs = totals(customers)
    return segment_summary(pairs, customers, segments), segment_movement(pairs, segments)


def ratio(part: Decimal | int, whole: Decimal | int, places: int) -> Decimal | None:
    """part / whole, rounded half up; null when the whole is zero."""
    if not whole:
        return None
    return (Decimal(part) / Decimal(whole)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def main(argv: Sequence[str] | None = None) -> None:
    with job("segment", __doc__, argv) as run:
        settings, segments = run.config.settings, run.config.segment_map
        source, made_from = run.made_before(run.lake.rfm(run.as_of, run.config.variant))
        customers = run.spark.read.schema(RFM).parquet(str(source / "customers"))

        counts = made_from["stages"]["rfm"]["customers"]
        compared = run.as_of - timedelta(days=settings.compare_days)
        of_key = {"": counts[run.as_of.isoformat()], COMPARED: counts[compared.isoformat()]}
        cuts = cut_points(customers, {key: n for key, n in of_key.items() if n})
        folder = run.attempt / "version"
        with ThreadPoolExecutor(1) as beside:  # one core plans a query while the other works on one
            small_tables = beside.submit(summaries, segmented(customers, cuts, segments), segments)
            # Sorted before they are scored, since Spark works out twice what it sorts; and without the date,
            # which is the same in each row.
            current = customers.where(F.col("frequency").isNotNull()).orderBy("customer_id")
            current = segmented(current, cuts, segments).withColumn("as_of", F.lit(run.as_of))
            current = current.select(*CUSTOMER_SEGMENTS)
            writer = current.select("*", csv_line(current)).write
            writer = with_dictionaries_for(writer, "country", "rfm_score", "segment", "previous_segment")
            writer.parquet(str(folder / "customers"))
            summary, movement = small_tables.result()
        write_small_csv(folder / "segment_summary.csv", SEGMENT_SUMMARY, summary)
        write_small_csv(folder / "segment_movement.csv", SEGMENT_MOVEMENT, movement)
        (folder / "cut_points.json").write_text(json.dumps(readable(cuts.get("", {})), indent=2))

        segmented_rows = sum(row["customers"] for row in summary)
        record = run.record(of_key[""], segmented_rows, {})
        run.lake.commit_version(
            folder,
            run.lake.segments(run.as_of, run.config.variant),
            made_from | {"attempt": run.number, "stages": made_from["stages"] | {"segment": record}},
        )


def readable(cuts: Mapping[str, Sequence[Decimal]]) -> dict[str, list[int | str]]:
    """Cut points for cut_points.json: days and orders as numbers, money as text, so that no reader
    makes a binary fraction of it."""
    return {
        "recency_days": [int(cut) for cut in cuts.get("R", [])],
        "frequency": [int(cut) for cut in cuts.get("F", [])],
        "monetary": [str(cut) for cut in cuts.get("M", [])],
    }


if __name__ == "__main__":
    main()
