"""The dates as of which a snapshot measures customers: its own, and the comparison date."""

from datetime import date, timedelta
from typing import NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

from include.spark.schemas import COMPARISON


class SnapshotDate(NamedTuple):
    """A date as of which customers are measured, and the prefix of its columns."""

    prefix: str
    day: date

    def column(self, name: str) -> Column:
        return F.col(self.prefix + name)


class SnapshotDates(NamedTuple):
    current: SnapshotDate
    comparison: SnapshotDate


def snapshot_dates(as_of: date, compare_days: int) -> SnapshotDates:
    earlier = as_of - timedelta(days=compare_days)
    return SnapshotDates(SnapshotDate("", as_of), SnapshotDate(COMPARISON, earlier))
