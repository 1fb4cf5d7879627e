"""The orders behind a snapshot: which count, and what is said where they are gone."""

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from include.errors import InputError, OutdatedError
from include.lake.manifest import BatchedFiles, FileEntry
from include.lake.paths import Lake
from include.lake.record import PublishedConfig, RunRecord
from include.pipeline import PROJECT
from include.published.orders import (
    COLUMNS,
    CustomerOrder,
    PurchaseDays,
    orders_behind,
    orders_of,
    purchase_days,
)
from include.settings import Params, RunConfig, load_config
from tests.unit.published.small import stages
from tests.unit.published.small_lake import (
    CORRECTED,
    FILE,
    LATE,
    ROWS,
    SCHEMA,
    ingested,
    with_orders,
    write_manifest,
    write_orders,
)

BEFORE = date(2011, 12, 10)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def snapshot(config: RunConfig) -> RunRecord:
    """The record of a snapshot of FILE and CORRECTED."""
    record = RunRecord(
        landing_version=1,
        attempt=1,
        stages=stages(),
        as_of=BEFORE,
        variant=config.variant,
        dag_run="a run",
        published_at="2011-12-10T04:05:00+00:00",
        config_hash=config.hash,
        config=PublishedConfig.model_validate(config.model_dump(mode="json")),
        input_files={},
    )
    return with_orders(record, config)


def invoices(customer_id: str, lake: Lake, record: RunRecord) -> list[str]:
    return [order.invoice_no for order in orders_of(customer_id, orders_behind(lake, record))]


# -- the days of purchases ----------------------------------------------------------------------


def days_of(lake: Lake, config: RunConfig, *files: str) -> PurchaseDays | None:
    orders = BatchedFiles[FileEntry](files={name: FileEntry(batch="b1") for name in files})
    return purchase_days(lake.orders(config.settings.clean_fingerprint), orders)


def test_the_first_and_last_purchases_are_those_of_files_that_count(lake: Lake, config: RunConfig) -> None:
    write_orders(lake, config)
    assert days_of(lake, config, FILE) == PurchaseDays(date(2011, 9, 1), date(2011, 12, 10), "536369", FILE)
    assert days_of(lake, config, CORRECTED, LATE) == PurchaseDays(
        date(2011, 12, 1), date(2011, 12, 2), "536365", CORRECTED
    )


def test_cancellations_are_no_purchases(lake: Lake, config: RunConfig) -> None:
    write_orders(lake, config, [row for row in ROWS if row[4] == "cancellation"])
    assert days_of(lake, config, FILE) is None
    assert days_of(lake, config) is None


# -- which count --------------------------------------------------------------------------------


def test_the_orders_of_a_customer_come_with_the_newest_first_and_exact_amounts(
    lake: Lake, config: RunConfig
) -> None:
    """Invoice 536365 is in two files: 2 + 1 lines, 20.005 + 0.5."""
    write_orders(lake, config)
    assert orders_of("12347", orders_behind(lake, snapshot(config))) == [
        CustomerOrder(date(2011, 12, 9), "C53637", "cancellation", 1, Decimal("-20.0000")),
        CustomerOrder(date(2011, 12, 9), "536366", "purchase", 1, Decimal("1000.0000")),
        CustomerOrder(date(2011, 12, 1), "536365", "purchase", 3, Decimal("20.5050")),
    ]


def test_an_id_that_nobody_has_finds_no_orders(lake: Lake, config: RunConfig) -> None:
    write_orders(lake, config)
    for other in ("1234", "123470", "", "=1+1", "12347\0"):
        assert invoices(other, lake, snapshot(config)) == []


def test_files_that_came_after_the_snapshot_do_not_count(lake: Lake, config: RunConfig) -> None:
    write_orders(lake, config)
    of_all = with_orders(snapshot(config), config, [FILE, CORRECTED, LATE])
    assert "536370" in invoices("12347", lake, of_all)
    assert "536370" not in invoices("12347", lake, snapshot(config))


def test_the_orders_of_the_earlier_version_of_a_file_do_not_count(lake: Lake, config: RunConfig) -> None:
    """Its batch stays for the sake of the other file, and still has them."""
    write_orders(lake, config)
    write_orders(lake, config, [(CORRECTED, "12347", "536365", "2011-12-01", "purchase", 1, "0.7500")], "b2")
    write_manifest(lake, config, {FILE: "b1", CORRECTED: "b2"})
    orders = orders_of("12347", orders_behind(lake, snapshot(config)))
    assert [(order.lines, order.amount) for order in orders][-1] == (3, Decimal("20.7550"))  # 20.005 + 0.75


def test_a_look_back_leaves_earlier_orders_out(lake: Lake) -> None:
    """Nine days before 10 December is the 1st, which counts; eight days before is the 2nd."""
    nine, eight = (load_config(PROJECT / "include/config", Params(lookback_days=days)) for days in (9, 8))
    write_orders(lake, nine)  # of all look-backs: it decides nothing about lines
    assert invoices("12347", lake, snapshot(nine)) == ["C53637", "536366", "536365"]
    assert invoices("12347", lake, snapshot(eight)) == ["C53637", "536366"]
    assert invoices("12348", lake, snapshot(nine)) == []


def test_a_variant_has_the_orders_of_its_own_settings(lake: Lake, config: RunConfig) -> None:
    variant = load_config(PROJECT / "include/config", Params(duplicates="drop"))
    write_orders(lake, config)
    write_orders(lake, variant, ROWS[1:2])
    assert invoices("12347", lake, snapshot(variant)) == ["536366"]
    assert len(invoices("12347", lake, snapshot(config))) == 3


def test_a_file_that_was_replaced_or_deleted_since_is_named_and_left_out(
    lake: Lake, config: RunConfig
) -> None:
    write_orders(lake, config)
    record = snapshot(config)
    changed = record.input_files[CORRECTED].model_copy(update={"modified": ingested(2).modified})
    replaced = record.model_copy(update={"input_files": record.input_files | {CORRECTED: changed}})
    behind = orders_behind(lake, replaced)
    assert behind.changed == [CORRECTED]
    assert orders_of("12347", behind)[-1].amount == Decimal("20.0050")
    write_manifest(lake, config, {FILE: "b1"})
    assert orders_behind(lake, record).changed == [CORRECTED]


def test_a_file_whose_lines_are_now_cleaned_with_another_outcome_is_left_out(
    lake: Lake, config: RunConfig
) -> None:
    """Where repeats are dropped, a new file may decide which lines of an old one are kept."""
    write_orders(lake, config)
    record = snapshot(config)
    file = record.input_files[FILE]
    other = file.model_copy(update={"clean": file.clean.model_copy(update={"kept": 4})})
    then = record.model_copy(update={"input_files": record.input_files | {FILE: other}})
    assert orders_behind(lake, then).changed == [FILE]


# -- what is said -------------------------------------------------------------------------------


def test_orders_that_are_gone_say_what_to_clear(lake: Lake, config: RunConfig) -> None:
    record = snapshot(config)
    with pytest.raises(OutdatedError, match="no orders that were made with the settings of"):
        orders_behind(lake, record)
    write_orders(lake, config)
    shutil.rmtree(lake.orders(config.settings.clean_fingerprint))
    with pytest.raises(OutdatedError, match="batch=b1 is gone; clear the run from `ingest` onwards"):
        orders_behind(lake, record)


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": None},
        {"fingerprint": "0123456789ab"},
        {"config": {"settings": {}}},
    ],
    ids=["none", "another", "settings-of-another-time"],
)
def test_a_snapshot_of_an_earlier_version_has_no_orders(
    lake: Lake, config: RunConfig, change: dict[str, object]
) -> None:
    write_orders(lake, config)
    record = snapshot(config)
    if isinstance(settings := change.get("config"), dict):
        change = {"config": record.config.model_copy(update=settings)}
    with pytest.raises(OutdatedError, match="an earlier version of the pipeline made this snapshot"):
        orders_behind(lake, record.model_copy(update=change))


def test_a_damaged_file_is_named(lake: Lake, config: RunConfig) -> None:
    write_orders(lake, config)
    behind = orders_behind(lake, snapshot(config))
    behind.parts[0].path.write_bytes(b"PAR1")
    with pytest.raises(OutdatedError, match=r"part-00000\.parquet is missing or damaged"):
        orders_of("12347", behind)


def test_too_many_orders_are_not_listed(
    lake: Lake, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_orders(lake, config)
    monkeypatch.setattr("include.published.orders.MOST_ROWS", 3)
    with pytest.raises(InputError, match="more than 3 orders"):
        orders_of("12347", orders_behind(lake, snapshot(config)))


# -- on disk ------------------------------------------------------------------------------------


def test_the_columns_are_those_that_clean_writes() -> None:
    from include.spark.schemas import ORDERS

    on_disk = [field.metadata["on_disk"] for field in ORDERS]
    assert SCHEMA.names == on_disk
    assert set(COLUMNS) <= set(on_disk)
