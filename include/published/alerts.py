"""Alerts: a snapshot that looks wrong though nothing failed. None of them stops a run.

Each rule is a pure function. It returns sentences with the numbers, and the key of the configuration that
decides. Three rules look at the snapshot and its landed files alone:

- the newest purchase is from long before the as-of date
- no file has come for longer than usual
- a weekday that usually has sales had none

The others compare it with an earlier snapshot. Segment sizes and cut points wander like a random walk, so
after n days they may have changed by sqrt(n) times the change of one day:

- new files have more rejects than files had before
- segment sizes have jumped
- cut points have jumped
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from zoneinfo import ZoneInfo

from include.lake.record import InputFile
from include.published.figures import Figures
from include.settings import Alerts, Segmentation

FEWEST_GAPS, LAST_GAPS = 5, 10  # between deliveries; fewer do not show what is usual
FEWEST_LINES = 100  # in fewer lines of a file, a single one is too large a share
FEWEST_FILES, LAST_FILES = 5, 30  # fewer do not show how much the rejects of a file vary
SEGMENTS_NAMED = 3


def alerts(
    now: Figures, earlier: Figures | None, with_sales: Collection[date], settings: Segmentation
) -> list[str]:
    """All alerts of a snapshot, causes before their effects. `with_sales` has the days on which some
    customer made his last purchase."""
    found = [
        *old_data(now.as_of, with_sales, settings.alerts),
        *missing_files(now, settings),
        *missing_sales(now.as_of, with_sales, settings.alerts),
    ]
    if earlier:
        found += [
            *more_rejects(now.files, earlier, settings.alerts),
            *changed_sizes(now, earlier, settings.alerts),
            *changed_cut_points(now, earlier, settings.alerts),
        ]
    return found


# -- of the snapshot alone ----------------------------------------------------------------------


def old_data(as_of: date, with_sales: Collection[date], limits: Alerts) -> list[str]:
    """Nothing was bought for long before the as-of date."""
    newest = max(with_sales)
    days = (as_of - newest).days
    if days <= limits.old_data_days:
        return []
    return [
        f"the newest purchase is from {newest}, {days:,} days before the as-of date "
        f"(alerts.old_data_days: {limits.old_data_days}); for data of the past run it as of "
        f"{newest + timedelta(days=1)}"
    ]


def missing_files(now: Figures, settings: Segmentation) -> list[str]:
    """No file has come for longer than between the last deliveries before the as-of date.

    Files that were landed after that date show that deliveries went on, as in a backfill. Files that were
    all landed at once do not show what is usual.
    """
    deliveries = delivery_days(now.files, ZoneInfo(settings.time_zone))
    if not knows_usual_gaps(deliveries):
        return []
    gaps = [(after - before).days for before, after in pairwise(deliveries)][-LAST_GAPS:]
    days, usual = (now.as_of - deliveries[-1]).days, max(gaps)
    if days <= usual + settings.alerts.late_file_days:
        return []
    return [
        f"no new file for {days} days, since {deliveries[-1]}; the last {len(gaps)} gaps between files were "
        f"of {usual} days at most (alerts.late_file_days: {settings.alerts.late_file_days})"
    ]


def knows_usual_gaps(deliveries: Collection[date]) -> bool:
    """There were enough deliveries to see how far apart they usually are."""
    return len(deliveries) > FEWEST_GAPS


def delivery_days(files: Mapping[str, InputFile], time_zone: ZoneInfo) -> list[date]:
    """The days on which files were landed, by their modification times."""
    seconds = {file.modified // 10**9 for file in files.values()}
    return sorted({datetime.fromtimestamp(second, time_zone).date() for second in seconds})


def missing_sales(as_of: date, with_sales: Collection[date], limits: Alerts) -> list[str]:
    """Nobody bought on the day before the as-of date, but on the same weekday of each week before."""
    last_day, *before = [as_of - timedelta(days=1 + 7 * week) for week in range(limits.sales_weeks + 1)]
    if last_day in with_sales or not set(before) <= set(with_sales):
        return []
    return [
        f"no sales on {last_day:%A} {last_day}; the same weekday had some in each week before "
        f"(alerts.sales_weeks: {limits.sales_weeks})"
    ]


# -- compared with an earlier snapshot ----------------------------------------------------------


def more_rejects(files: Mapping[str, InputFile], earlier: Figures, limits: Alerts) -> list[str]:
    """For a reason, the files that are new since the earlier snapshot have a larger share of rejects than
    each of the files before."""
    new = {name: file for name, file in files.items() if is_new(name, file, earlier.files)}
    lines = sum(file.rows for file in new.values())
    before = files_before(earlier.files)
    if lines < FEWEST_LINES or len(before) < FEWEST_FILES:
        return []
    found = []
    rejects = sum((file.all_rejects for file in new.values()), Counter[str]())
    for reason, count in sorted(rejects.items()):
        highest = max(file.all_rejects[reason] / file.rows for file in before)
        if count / lines > highest + limits.reject_rise:
            found.append(
                f"{count:,} of {lines:,} lines ({count / lines:.1%}) of new files rejected as {reason}, most "
                f"in {file_with_most(reason, new)}; at most {highest:.1%} in each of {len(before)} files "
                f"before (alerts.reject_rise: {limits.reject_rise})"
            )
    return found


def file_with_most(reason: str, files: Mapping[str, InputFile]) -> str:
    return max(files, key=lambda name: files[name].all_rejects[reason])


def is_new(name: str, file: InputFile, before: Mapping[str, InputFile]) -> bool:
    return name not in before or before[name].identity != file.identity


def files_before(files: Mapping[str, InputFile]) -> list[InputFile]:
    """The latest files that are long enough to have a share."""
    latest_first = sorted(files, key=lambda name: (files[name].modified, name), reverse=True)
    return [files[name] for name in latest_first if files[name].rows >= FEWEST_LINES][:LAST_FILES]


def changed_sizes(now: Figures, earlier: Figures, limits: Alerts) -> list[str]:
    """The shares of the segments differ by more than a usual day changes them.

    Half the sum of the differences: the share of the customers who would have to change their segment.
    Usually about three times as many do, in both directions.
    """
    if too_few_customers(now, earlier, limits):
        return []
    names = {**earlier.customers, **now.customers}
    differences = {
        name: now.customers.get(name, 0) / now.all_customers
        - earlier.customers.get(name, 0) / earlier.all_customers
        for name in names
    }
    change = sum(abs(difference) for difference in differences.values()) / 2
    allowed = limits.segment_change * sqrt(days_between(now, earlier))
    if change <= allowed:
        return []
    largest = sorted(names, key=lambda name: -abs(differences[name]))[:SEGMENTS_NAMED]
    sizes = ", ".join(
        f"{name} {earlier.customers.get(name, 0):,} to {now.customers.get(name, 0):,}" for name in largest
    )
    return [
        f"segment sizes differ by {change:.1%} of the customers from {earlier.as_of}, usual are "
        f"{allowed:.1%} (alerts.segment_change: {limits.segment_change}): {sizes}"
    ]


def changed_cut_points(now: Figures, earlier: Figures, limits: Alerts) -> list[str]:
    """A cut point of a metric has changed by a larger part than on a usual day."""
    if too_few_customers(now, earlier, limits):
        return []
    days, found = days_between(now, earlier), []
    for metric, limit in limits.cut_point_change.by_metric.items():
        before, after = (figures.cut_points.get(metric, []) for figures in (earlier, now))
        # Days without sales make every customer's recency larger by as many days.
        expected = days if metric == "recency_days" else 0
        pairs = zip(before, after, strict=False)
        change = max((relative_change(*pair, expected) for pair in pairs), default=0)
        if change > limit * sqrt(days):
            found.append(
                f"cut points of {metric} were {listed(before)} on {earlier.as_of} and are {listed(after)}, "
                f"one by {change:.0%} different, usual are {limit * sqrt(days):.0%} "
                f"(alerts.cut_point_change.{metric}: {limit})"
            )
    return found


def relative_change(before: Decimal, after: Decimal, expected: int) -> float:
    """The change beyond the expected one, as a part of the value before, or of 1 where that is less."""
    return float((abs(after - before) - expected) / max(abs(before), Decimal(1)))


def listed(values: Collection[object]) -> str:
    return " ".join(map(str, values))


def days_between(now: Figures, earlier: Figures) -> int:
    return (now.as_of - earlier.as_of).days


def too_few_customers(now: Figures, earlier: Figures, limits: Alerts) -> bool:
    return min(now.all_customers, earlier.all_customers) < limits.fewest_customers
