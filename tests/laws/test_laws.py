"""The laws of the design, as properties over small generated shops."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from include.pipeline import PROJECT
from include.published.tables import CUSTOMER_SEGMENTS
from include.settings import Cancellations, Duplicates, RunConfig, load_segment_map
from include.spark.dates import snapshot_dates
from spark_jobs.clean import cleaned_lines, orders, without_repeats
from spark_jobs.rfm import OrderSums, RfmRules, customer_rfm
from spark_jobs.segment import cut_points, segmented
from tests import reference, tables
from tests.tables import HEADER

AS_OF = date(2011, 3, 1)
CONFIG = PROJECT / "include" / "config"

SHOPS = os.environ.get("RFM_LAWS")  # how many shops for each law, others each time; else the same few
a_few = settings(
    max_examples=int(SHOPS or 6),
    deadline=None,
    derandomize=not SHOPS,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A line of a shop with few customers and few days, so that ties and repeats are common."""
    customer = draw(st.integers(1, 9))
    day = date(2011, 1, 20) + timedelta(days=draw(st.integers(0, 45)))
    number = 536_000 + 100 * customer + (day - date(2011, 1, 1)).days % 7
    prefix = draw(st.sampled_from(["", "", "", "", "C", "A"]))
    quantity = draw(st.integers(-2, 12)) if prefix == "" else -draw(st.integers(1, 3))
    pence = draw(st.sampled_from([0, 1, 85, 295, 295, 1000, 4999]))
    ident = draw(st.sampled_from([f"{12_000 + customer}.0", f"{12_000 + customer}", ""]))
    text = draw(st.sampled_from(["RED MUG", '"12"" CANDLE"', '"JAM, JAR"', ""]))
    stock = draw(st.sampled_from(["85123A", "85123a", "POST"]))
    country = draw(st.sampled_from(["United Kingdom", "United Kingdom", "EIRE"]))
    price = f"{pence // 100}.{pence % 100:02}"
    return f"{prefix}{number},{stock},{text},{quantity},{day} 08:26:00,{price},{ident},{country}"


shops = st.lists(lines(), min_size=3, max_size=60)


@contextmanager
def landed(*files: list[str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(files):
            Path(folder, f"{number:03}.csv").write_text("\n".join([HEADER, *content, ""]), encoding="utf-8")
        yield Path(folder)


Customers = list[dict[str, Any]]


class Shop:
    """The functions of the jobs one after the other, with the counts of each stage."""

    def __init__(
        self, spark: SparkSession, config: RunConfig, folder: Path, duplicates: Duplicates = "keep"
    ) -> None:
        typed, counts = tables.ingested(spark, config, folder)
        ingested = typed.where("outcome = 'kept'")
        cleaned = cleaned_lines(ingested)
        if duplicates == "drop":
            cleaned = without_repeats(cleaned)
        self.cleaned = cleaned.localCheckpoint()
        self.rows = sum(counts.values())
        self.outcomes = Counter[str](dict(typed.groupBy("outcome").count().collect()))
        self.orders = orders(self.cleaned.where("outcome = 'kept'"))

    def snapshot(
        self,
        map_name: str = "rfm11",
        cancellations: Cancellations = "net",
        lookback: int | None = None,
        needs_decimal: bool = False,
    ) -> Customers:
        dates = snapshot_dates(AS_OF, compare_days=30)
        rows = self.orders.select("country").distinct().collect()
        sums = OrderSums(sorted(row["country"] for row in rows), needs_decimal)
        rules = RfmRules(dates, lookback, cancellations)
        rfm = customer_rfm(self.orders, rules, sums).customers
        customers = rfm.withColumn("as_of", F.lit(AS_OF)).localCheckpoint()
        counts = {at: customers.where(at.column("frequency").isNotNull()).count() for at in dates}
        cuts = cut_points(customers, {at: n for at, n in counts.items() if n})
        segments = load_segment_map(CONFIG, map_name)
        found = segmented(customers.where("frequency is not null"), dates, cuts, segments)
        in_order = found.select(*CUSTOMER_SEGMENTS.names).orderBy("customer_id")
        return [row.asDict() for row in in_order.collect()]


@pytest.fixture(scope="session")
def shop(spark: SparkSession, config: RunConfig) -> Callable[..., Shop]:
    return lambda folder, **options: Shop(spark, config, folder, **options)


@a_few
@given(
    shops,
    st.sampled_from(["keep", "drop"]),
    st.sampled_from(["net", "drop"]),
    st.sampled_from([None, 25]),
    st.booleans(),
)
def test_every_customer_and_column_agrees_with_the_independent_computation(
    shop: Callable[..., Shop],
    lines: list[str],
    duplicates: Duplicates,
    cancellations: Cancellations,
    lookback: int | None,
    needs_decimal: bool,
) -> None:
    """Also where amounts are added up as decimals, as they are when one of them is very large."""
    with landed(lines) as folder:
        made = shop(folder, duplicates=duplicates)
        found = made.snapshot(cancellations=cancellations, lookback=lookback, needs_decimal=needs_decimal)
        raw = reference.read_lines(sorted(folder.glob("*.csv")))
    expected = reference.snapshot(
        reference.clean(raw, duplicates=duplicates),
        AS_OF,
        cancellations=cancellations,
        lookback_days=lookback,
    )
    assert found == expected.customers


@a_few
@given(shops, st.randoms(use_true_random=False))
def test_order_and_grouping_of_files_change_nothing(
    shop: Callable[..., Shop], lines: list[str], random: Random
) -> None:
    shuffled = random.sample(lines, len(lines))
    cut = random.randrange(len(lines) + 1)
    with landed(lines) as one, landed(shuffled[:cut], shuffled[cut:]) as two:
        assert shop(one).snapshot() == shop(two).snapshot()


@a_few
@given(shops)
def test_ten_times_the_prices_change_no_segment(shop: Callable[..., Shop], lines: list[str]) -> None:
    def dearer(line: str) -> str:
        head, price, customer, country = line.rsplit(",", 3)
        return f"{head},{Decimal(price) * 10},{customer},{country}"

    with landed(lines) as folder, landed([dearer(line) for line in lines]) as dear:
        before, after = shop(folder).snapshot(), shop(dear).snapshot()
    assert [(row["customer_id"], row["segment"]) for row in before] == [
        (row["customer_id"], row["segment"]) for row in after
    ]


@a_few
@given(shops, st.sampled_from(["rfm11", "rf10"]))
def test_equal_values_score_equally_and_each_customer_has_one_segment(
    shop: Callable[..., Shop], lines: list[str], map_name: str
) -> None:
    with landed(lines) as folder:
        rows = shop(folder).snapshot(map_name)
    assert len({row["customer_id"] for row in rows}) == len(rows)
    assert all(row["segment"] in load_segment_map(CONFIG, map_name).names for row in rows)
    for value, score in (("recency_days", "r_score"), ("frequency", "f_score"), ("monetary", "m_score")):
        scores: dict[Any, set[int]] = {}
        for row in rows:
            scores.setdefault(row[value], set()).add(row[score])
        assert all(len(given) == 1 for given in scores.values())


DIRT = st.sampled_from(
    [
        "1,2,3",
        "536365,A,B,one,2011-01-05 08:26:00,1.00,12001,EIRE",
        'x,"open,1,2',
        "536365,A,B,1,soon,1.00,1,EIRE",
        "536365,A,B,1,2011-01-05 08:26:00,1.00001,1,EIRE",
        "536365,A,B,99999999999,2011-01-05 08:26:00,1,1,EIRE",
    ]
)


@a_few
@given(st.lists(st.one_of(lines(), DIRT), min_size=1, max_size=40))
def test_rows_in_are_rows_out_plus_rejects_at_every_stage(
    shop: Callable[..., Shop], lines: list[str]
) -> None:
    with landed(lines) as folder:
        made = shop(folder)
        assert made.rows == len(lines) == sum(made.outcomes.values())
        cleaned = Counter[str](dict(made.cleaned.groupBy("outcome").count().collect()))
        assert sum(cleaned.values()) == made.outcomes["kept"]
        kept = made.orders.agg(F.sum("lines")).collect()[0][0] or 0
        assert kept == cleaned["kept"]


def test_a_date_time_of_the_shop_passes_as_it_is(shop: Callable[..., Shop]) -> None:
    line = "536365,A,B,1,2011-03-27 01:30:00,1.00,12001,EIRE"  # an hour that London did not have
    with landed([line]) as folder:
        row = shop(folder).cleaned.collect()[0]
    assert row["invoice_date"] == datetime.fromisoformat("2011-03-27T01:30:00")
