"""The figures that alerts compare: where they come from, and which earlier snapshot has them."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.lake.paths import Lake
from include.lake.record import RECORD, InputFile, PublishedConfig, RunRecord, read_run_record
from include.lake.state import state_text
from include.published.figures import (
    earlier_figures,
    files_judged_before,
    read_customer_figures,
    read_figures,
)
from include.settings import RunConfig
from tests.unit.published.small_lake import COUNTS, ingested

DAY = date(2011, 12, 10)
CUTS = '{"recency_days": [13, 33], "frequency": [1, 2], "monetary": ["243.22", "475.28"]}'

Publish = Callable[..., Path]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def publish(lake: Lake, config: RunConfig) -> Publish:
    """Publish a snapshot with that many champions."""

    def published(
        as_of: date, champions: int, fingerprint: str | None = "f", variant: str | None = None
    ) -> Path:
        folder = lake.published(as_of, variant)
        folder.mkdir(parents=True)
        summary = f"segment,customers\r\nChampions,{champions}\r\n'=Lost,0\r\n"
        (folder / "segment_summary.csv").write_text(summary)
        (folder / "cut_points.json").write_text(CUTS)
        record = RunRecord(
            landing_version=1,
            attempt=1,
            stages={},
            as_of=as_of,
            variant=variant,
            dag_run="a run",
            published_at="2011-12-10T04:05:00+00:00",
            config_hash=config.hash,
            fingerprint=fingerprint,
            config=PublishedConfig.model_validate(config.model_dump(mode="json")),
            input_files=dict[str, InputFile](),
        )
        (folder / RECORD).write_text(state_text(record))
        return folder

    return published


def champions_before(lake: Lake, as_of: date, variant: str | None = None) -> int | None:
    found = earlier_figures(lake, as_of, variant, "f")
    return found.customers["Champions"] if found else None


def test_figures_are_the_sizes_and_the_exact_cut_points(publish: Publish) -> None:
    found = read_figures(publish(DAY, 803), DAY, {})
    assert found.customers == {"Champions": 803, "=Lost": 0}
    assert found.cut_points["monetary"] == [Decimal("243.22"), Decimal("475.28")]
    assert found.all_customers == 803


def test_the_newest_snapshot_of_the_week_before_is_compared(lake: Lake, publish: Publish) -> None:
    for day, champions in ((3, 100), (7, 101), (10, 102), (11, 103)):
        publish(date(2011, 12, day), champions)
    assert champions_before(lake, date(2011, 12, 10)) == 101
    assert champions_before(lake, date(2011, 12, 18)) == 103


def test_snapshots_more_than_a_week_apart_are_not_compared(lake: Lake, publish: Publish) -> None:
    publish(date(2011, 12, 2), 100)
    assert champions_before(lake, date(2011, 12, 9)) == 100
    assert champions_before(lake, date(2011, 12, 10)) is None


@pytest.mark.parametrize("fingerprint", ["g", None], ids=["another configuration", "of earlier code"])
def test_a_snapshot_of_another_configuration_is_passed_over(
    lake: Lake, publish: Publish, fingerprint: str | None
) -> None:
    publish(date(2011, 12, 8), 100)
    publish(date(2011, 12, 9), 101, fingerprint=fingerprint)
    assert champions_before(lake, DAY) == 100


def test_a_variant_is_compared_with_itself(lake: Lake, publish: Publish) -> None:
    publish(date(2011, 12, 9), 100)
    publish(date(2011, 12, 8), 101, variant="segment_map=rf10")
    assert champions_before(lake, DAY) == 100
    assert champions_before(lake, DAY, "segment_map=rf10") == 101


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (RECORD, "{"),
        ("cut_points.json", "[]"),
        ("cut_points.json", '{"monetary": ["much"]}'),
        ("segment_summary.csv", "segment\r\nChampions\r\n"),
        ("segment_summary.csv", "segment,customers\r\nChampions\r\n"),
        ("segment_summary.csv", "segment,customers\r\nChampions,many\r\n"),
    ],
)
def test_a_damaged_snapshot_is_passed_over(lake: Lake, publish: Publish, file: str, text: str) -> None:
    publish(date(2011, 12, 8), 100)
    (publish(date(2011, 12, 9), 101) / file).write_text(text)
    assert champions_before(lake, DAY) == 100


def test_a_snapshot_that_lacks_a_file_is_passed_over(lake: Lake, publish: Publish) -> None:
    (publish(date(2011, 12, 9), 101) / "segment_summary.csv").unlink()
    assert champions_before(lake, DAY) is None


# -- the files of the newest snapshot -----------------------------------------------------------


def test_the_files_of_the_newest_snapshot_were_judged_before(lake: Lake, publish: Publish) -> None:
    assert files_judged_before(lake) == {}
    folder = publish(date(2011, 12, 9), 100)
    record = read_run_record(folder)
    files = {"a.csv": InputFile(**ingested().model_dump(), clean=COUNTS)}
    (folder / RECORD).write_text(state_text(record.model_copy(update={"input_files": files})))
    lake.latest.symlink_to(folder)
    assert files_judged_before(lake) == files
    (folder / RECORD).write_text("{")
    assert files_judged_before(lake) == {}


# -- customers ----------------------------------------------------------------------------------

Customer = tuple[str, int, str, str, int]  # id, orders, gross, returned, day of the last purchase


def write_customers(folder: Path, rows: list[Customer], row_group_size: int = 2) -> None:
    ids, orders, gross, returned, days = zip(*rows, strict=True)
    money = pa.decimal128(18, 2)
    table = pa.table(
        {
            "customer_id": ids,
            "frequency": pa.array(orders, pa.int64()),
            "gross": pa.array(map(Decimal, gross), money),
            "returned": pa.array(map(Decimal, returned), money),
            "last_purchase_date": [date(2011, 12, day) for day in days],
        }
    )
    pq.write_table(table, folder / "customer_segments.parquet", row_group_size=row_group_size)


def test_customers_are_counted_over_all_row_groups(tmp_path: Path) -> None:
    write_customers(
        tmp_path,
        [
            ("a", 1, "5.00", "0.00", 9),
            ("b", 3, "7.00", "-2.50", 9),
            ("c", 8, "1.00", "0.00", 1),
            ("d", 2, "9.00", "1.00", 9),
            ("e", 1, "2.00", "0.00", 9),
        ],
    )
    found = read_customer_figures(tmp_path)
    assert (found.customers, found.one_order, found.orders) == (5, 2, 15)
    assert (found.most_orders, found.gross) == (("c", 8), Decimal("24.00"))
    assert found.most_gross == ("d", Decimal("9.00"))
    assert found.less_than_nothing == {"b": Decimal("-2.50")}
    assert found.days == {date(2011, 12, 9), date(2011, 12, 1)}
