"""The five jobs from end to end on a shop small enough to work out by hand."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from include.lake.paths import Lake
from include.lake.record import read_run_record
from include.pipeline import ERROR_MARK, PROJECT, TASKS
from include.published.orders import orders_behind, orders_of
from tests import tables
from tests.jobs.conftest import RunJob, Snapshot, arguments
from tests.jobs.shop import (
    AS_OF,
    CUT_POINTS,
    EXPORT,
    FILES,
    RFM_DF,
    SHOP,
    TEXTS,
    content,
    copy_of,
    customers_of,
    land,
    open_shop,
    same_landing,
)
from tests.tables import HEADER

CONFIG = PROJECT / "include" / "config"

# -- the shop, really submitted -----------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(submit: RunJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the shop's snapshot as of AS_OF, by five real submits. For reading only."""
    lake = open_shop(tmp_path_factory.mktemp("a shop") / "lake")
    given = [*arguments(lake, AS_OF, EXPORT, None), "--dag-run", "manual__1"]
    for task in TASKS:
        ended = submit(task, given)
        assert ended.code == 0, ended.log[-5000:]
        assert re.match(rf"{task} .* done in ", ended.last_line)
    return lake


@pytest.fixture(scope="module")
def published(shop: Path) -> Path:
    return shop / "published" / f"as_of={AS_OF}"


@pytest.fixture(scope="module")
def record(published: Path) -> Any:
    return json.loads((published / "run.json").read_text())


def test_all_files_of_the_design_are_published_and_no_others(published: Path) -> None:
    assert {file.name for file in published.iterdir()} == FILES


@pytest.mark.parametrize("name", TEXTS)
def test_the_published_rows_are_those_worked_out_by_hand(published: Path, name: str) -> None:
    assert (published / name).read_bytes().decode() == TEXTS[name].replace("\n", "\r\n")


def test_the_cut_points_are_those_worked_out_by_hand(published: Path) -> None:
    assert json.loads((published / "cut_points.json").read_text()) == CUT_POINTS


def test_the_parquet_file_is_the_same_table_as_the_csv(published: Path) -> None:
    head, *rows = [line.split(",") for line in RFM_DF.splitlines()]
    table = pq.read_table(published / "customer_segments.parquet", partitioning=None)
    assert table.column_names == head
    texts = [["" if v is None else str(v) for v in row.values()] for row in table.to_pylist()]
    assert texts == rows


def test_the_orders_behind_a_snapshot_add_up_to_its_customers(shop: Path, published: Path) -> None:
    assert added_orders(shop, published) == sums_of(published)


def added_orders(lake: Path, folder: Path) -> dict[object, list[object]]:
    """For each customer what the orders in the lake add up to: invoices, bought, taken back."""
    behind = orders_behind(Lake(lake), read_run_record(folder))
    assert behind.changed == []
    found: dict[object, list[object]] = {}
    for name in customers_of(folder):
        orders = orders_of(str(name), behind)
        bought = [order for order in orders if order.line_type == "purchase"]
        invoices = {order.invoice_no for order in bought}
        gross = sum(order.amount for order in bought)
        found[name] = [len(invoices), gross, gross - sum(order.amount for order in orders)]
    return found


def sums_of(folder: Path) -> dict[object, list[object]]:
    """The same as published."""
    rows = customers_of(folder).items()
    return {name: [row["frequency"], row["gross"], row["returned"]] for name, row in rows}


def test_the_record_has_every_stage_and_says_who_made_it(record: Any) -> None:
    assert list(record["stages"]) == list(TASKS)
    for stage in record["stages"].values():
        assert stage["seconds"] >= 0
        assert stage["application_id"]
        assert stage["dag_run"] == "manual__1"
    few, largest = record["stages"]["publish"]["warnings"]
    assert few.startswith("only 5 customers count")
    assert largest.startswith("customer 104 has bought 220.00 of 249.01 in all (88.3%)")


def test_the_record_reconciles_every_stage(record: Any) -> None:
    stages = record["stages"]
    for stage in stages.values():
        assert stage["rows_in"] == stage["rows_out"] + sum(stage["rejects"].values())
    assert {task: (stages[task]["rows_in"], stages[task]["rows_out"]) for task in TASKS} == {
        "ingest": (16, 15),
        "clean": (15, 12),
        "rfm": (12, 10),
        "segment": (5, 5),
        "publish": (5, 5),
    }


def test_the_record_counts_the_rejects_of_every_stage_by_reason(record: Any) -> None:
    stages = record["stages"]
    assert stages["ingest"]["rejects"] == {"quantity_unreadable": 1}
    reasons = ("missing_customer", "price_not_positive", "unknown_invoice_type")
    assert stages["clean"]["rejects"] == dict.fromkeys(reasons, 1)
    left_out = {name: count for name, count in stages["rfm"]["rejects"].items() if count}
    assert left_out == {"on_or_after_as_of": 1, "customer_without_purchase": 1}


def test_the_record_names_the_date_the_configuration_and_the_files(record: Any) -> None:
    assert record["as_of"] == AS_OF
    assert record["variant"] is None
    assert record["config"]["settings"]["cancellations"] == "net"
    assert record["config_hash"]
    assert record["fingerprint"]
    assert sorted(record["input_files"]) == sorted(SHOP)


def test_latest_points_to_the_snapshot_wherever_the_lake_is_mounted(shop: Path, published: Path) -> None:
    latest = shop / "published" / "latest"
    assert latest.resolve() == published.resolve()
    for link in (latest, published):
        assert not link.readlink().is_absolute()


def test_nothing_is_left_of_the_attempts(shop: Path) -> None:
    assert not (shop / ".attempts").exists()
    assert not list(shop.rglob("*.parts"))


def test_landed_files_are_left_as_they_were(shop: Path) -> None:
    for name, lines in SHOP.items():
        assert (shop / "landing" / name).read_text().splitlines() == [HEADER, *lines]
    assert sorted(file.name for file in (shop / "landing").iterdir()) == sorted(SHOP)


@pytest.mark.parametrize("task", TASKS)
def test_help_says_what_a_job_does_and_takes(submit: RunJob, task: str) -> None:
    ended = submit(task, ["--help"])
    assert ended.code == 0, ended.log
    for word in (f"{task}: ", "--as-of", "--lake", "--config", "--params"):
        assert word in ended.log


def test_a_really_submitted_job_ends_with_2_and_its_reason_last(submit: RunJob, tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    ended = submit("ingest", arguments(tmp_path, AS_OF, None, None))
    assert "has no file that can be read" in ended.refusal


# -- refusals -----------------------------------------------------------------------------------


def test_a_missing_landing_folder_is_refused(run: RunJob, tmp_path: Path) -> None:
    assert f"landing folder {tmp_path}/lake/landing is missing" in run("ingest", tmp_path / "lake").refusal


def test_hidden_and_other_files_are_not_landed(run: RunJob, tmp_path: Path) -> None:
    for name in (".2011.csv", "_tmp/2011.csv", "readme.md", ".2011.csv.part"):
        land(tmp_path, name, SHOP["2011-01-03.csv"])
    assert "has no file that can be read" in run("ingest", tmp_path).refusal


def test_a_missing_column_is_refused_with_the_file_and_the_columns_it_has(
    run: RunJob, tmp_path: Path
) -> None:
    open_shop(tmp_path)
    header = HEADER.replace("UnitPrice", "Preis").replace("Country", "Land")
    land(tmp_path, "north/2011-02-09.csv", [], header)
    message = run("ingest", tmp_path).refusal
    assert message.startswith("ingest: north/2011-02-09.csv: line 1: column UnitPrice is missing")
    assert f"Its header has {header}" in message


def test_files_without_a_line_below_their_header_are_refused(run: RunJob, tmp_path: Path) -> None:
    land(tmp_path, "2011-02-08.csv", [])
    (tmp_path / "landing" / "2011-02-09.csv").touch()
    assert "no landed file has a line below its header" in run("ingest", tmp_path).refusal


@pytest.mark.parametrize("task", TASKS)
def test_a_wrong_date_is_refused_by_every_job(run: RunJob, tmp_path: Path, task: str) -> None:
    message = run(task, tmp_path, "10.12.2011").refusal
    assert message == f"{task}: as_of: '10.12.2011' is not a date; write it as 2011-12-10"
    assert not list(tmp_path.iterdir()), "refused before anything is written"


@pytest.mark.parametrize(("params", "word"), [({"lookback_days": 0}, "lookback_days"), ({"x": 1}, "x")])
def test_wrong_params_are_refused(run: RunJob, tmp_path: Path, params: dict[str, int], word: str) -> None:
    assert f"params: {word}" in run("rfm", tmp_path, params=params).refusal


def test_a_missing_configuration_is_refused(run: RunJob, tmp_path: Path) -> None:
    assert "segmentation.yaml: cannot be read" in run("rfm", tmp_path, config=tmp_path).refusal


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        ("rfm", "has no cleaned lines for these settings"),
        ("segment", f"rfm/as_of={AS_OF} is not there yet"),
        ("publish", f"segments/as_of={AS_OF} is not there yet"),
    ],
)
def test_a_job_before_its_turn_is_refused(run: RunJob, tmp_path: Path, task: str, problem: str) -> None:
    message = run(task, open_shop(tmp_path)).refusal
    assert message.startswith(f"{task}: ")
    assert message.endswith(f"{problem}; clear the run from `ingest` onwards")
    assert not (tmp_path / "published").exists()


@pytest.fixture
def config_copy(tmp_path: Path) -> Path:
    """A copy of the configuration, for tests that change it."""
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def configure(config: Path, before: str, after: str) -> None:
    file = config / "segmentation.yaml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))


@pytest.mark.parametrize("task", ["segment", "publish"])
def test_a_job_after_a_change_of_the_configuration_is_refused(
    run: RunJob, shop: Path, tmp_path: Path, config_copy: Path, task: str
) -> None:
    """The stage before was made with the other configuration, and a snapshot is of one."""
    configure(config_copy, "compare_days: 30", "compare_days: 31")
    message = run(task, copy_of(shop, tmp_path / "lake"), config=config_copy).refusal
    assert "was made with another configuration; clear the run from `rfm` onwards" in message


@pytest.mark.parametrize("task", ["segment", "publish"])
def test_a_job_after_a_change_of_the_reject_threshold_runs(
    run: RunJob, shop: Path, tmp_path: Path, config_copy: Path, task: str
) -> None:
    """No result depends on it, and rejects may be the very reason for the change."""
    configure(config_copy, "reject_threshold: 0.50", "reject_threshold: 0.40")
    assert run(task, copy_of(shop, tmp_path / "lake"), config=config_copy).code == 0


def test_a_bad_day_is_refused_and_may_be_published_anyway(
    run: RunJob, snapshot: Snapshot, shop: Path, tmp_path: Path
) -> None:
    """The file is new since the snapshot of the others."""
    lake = copy_of(shop, tmp_path / "lake")
    bad = [f"CA-2011-{n},A,LAMP,1,2011-02-09 08:00:00,5.00,101,United Kingdom" for n in range(2)]
    land(lake, "2011-02-09.csv", bad)
    for task in TASKS[:-1]:
        assert run(task, lake).code == 0
    folder = lake / "published" / f"as_of={AS_OF}"
    before, version = content(folder), folder.resolve()
    refusal = run("publish", lake).refusal
    problem = (
        "2 of 2 lines (100.0%) of 2011-02-09.csv are rejected as unknown_invoice_type, and no line is kept"
    )
    assert refusal.startswith(f"publish: {problem}. Nothing was published. For example 2011-02-09.csv line 2")
    assert f'"{bad[0]}"' in refusal
    assert folder.resolve() == version
    assert content(folder) == before
    folder = snapshot(lake, params={"publish_anyway": True}, first="publish")
    record = json.loads((folder / "run.json").read_text())
    assert record["variant"] is None
    assert record["stages"]["publish"]["warnings"][0] == f"published anyway: {problem}"
    assert problem in (folder / "report.html").read_text()
    assert run("publish", lake).code == 0, "the file is not new to the next run"


def test_trouble_with_the_volume_ends_with_1_and_a_closing_line(run: RunJob, tmp_path: Path) -> None:
    """Here a file in a folder's place. Airflow may try it again."""
    (open_shop(tmp_path) / "ingested").touch()
    ended = run("ingest", tmp_path)
    assert ended.code == 1, ended.log[-2000:]
    assert ended.last_line.startswith(f"{ERROR_MARK}ingest: ")
    assert f"{tmp_path}/ingested" in ended.last_line


# -- runs in any order, and again ---------------------------------------------------------------


def test_another_lake_and_process_publish_the_same_bytes(
    snapshot: Snapshot, shop: Path, published: Path, tmp_path: Path
) -> None:
    assert content(snapshot(same_landing(shop, tmp_path), params=EXPORT)) == content(published)


def test_a_run_again_publishes_the_same_bytes_without_reading_a_file_again(
    snapshot: Snapshot, shop: Path, published: Path, tmp_path: Path
) -> None:
    lake = copy_of(shop, tmp_path / "lake")
    again = snapshot(lake, params=EXPORT)
    assert again.resolve().name != published.resolve().name, "a new version"
    assert content(again) == content(published)
    stages = json.loads((again / "run.json").read_text())["stages"]
    assert stages["ingest"]["files_converted"] == 0
    assert stages["clean"]["files_cleaned"] == 0


SAME_AS_CONFIGURED = {"segment_map": "rfm11", "cancellations": "net", "lookback_days": None}


@pytest.fixture(scope="module")
def many(snapshot: Snapshot, shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with snapshots of three dates, of which the newest was not the last to be made."""
    lake = copy_of(shop, tmp_path_factory.mktemp("many") / "lake")
    shutil.rmtree(lake / "published")
    snapshot(lake, "2011-01-21", first="rfm")
    snapshot(lake, AS_OF, SAME_AS_CONFIGURED, first="rfm")
    snapshot(lake, "2011-01-10", first="rfm")
    return lake


def test_latest_is_the_newest_date_and_not_the_last_run(many: Path) -> None:
    latest = many / "published" / "latest"
    assert latest.resolve() == (many / "published" / f"as_of={AS_OF}").resolve()
    assert json.loads((latest / "run.json").read_text())["as_of"] == AS_OF


def test_a_snapshot_depends_on_neither_the_runs_before_nor_params_that_say_the_same(
    many: Path, published: Path
) -> None:
    wanted = content(published)
    del wanted["cleaned_data.csv"]  # which is off unless a run asks for it
    assert content(many / "published" / f"as_of={AS_OF}") == wanted


def test_a_snapshot_that_looks_wrong_says_so_in_its_record_and_log(
    run: RunJob, snapshot: Snapshot, shop: Path, tmp_path: Path, config_copy: Path
) -> None:
    """As of 6 February four customers are in About To Sleep, Loyal Customers, New Customers and Promising.
    Three days later there is a fifth, and only New Customers is still one of their segments:
    (3 x 25 % + 4 x 20 % + 5 %) / 2 = 80 %, where 3 % x sqrt(3) are usual. All cut points have changed."""
    configure(config_copy, "fewest_customers: 1000", "fewest_customers: 1")
    lake = copy_of(shop, tmp_path / "lake")
    snapshot(lake, "2011-02-06", config=config_copy, first="rfm")
    folder = snapshot(lake, "2011-02-09", config=config_copy, first="rfm")
    _, _, *warnings = json.loads((folder / "run.json").read_text())["stages"]["publish"]["warnings"]
    sizes = "segment sizes differ by 80.0% of the customers from 2011-02-06, usual are 5.2% "
    assert [warning.startswith(sizes) for warning in warnings] == [True, False, False, False]
    assert [warning.split()[3] for warning in warnings[1:]] == ["recency_days", "frequency", "monetary"]
    again = run("publish", lake, "2011-02-09", config=config_copy)
    assert all(warning in again.log for warning in warnings)


def test_all_dates_read_as_one_table(many: Path) -> None:
    files = sorted((many / "published").glob("as_of=*/customer_segments.parquet"))
    rows = [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
    assert {str(row["as_of"]) for row in rows} == {"2011-01-10", "2011-01-21", AS_OF}
    assert len({(row["as_of"], row["customer_id"]) for row in rows}) == len(rows) == 3 + 4 + 5


def test_rejects_are_those_of_days_before_the_as_of_date(many: Path) -> None:
    rejects = (many / "published" / "as_of=2011-01-10" / "rejects.csv").read_text()
    assert [line.split(",")[1:5] for line in rejects.splitlines()[1:]] == [
        ["2011-01-03.csv", "", "5", "missing_customer"],
        ["2011-01-03.csv", "", "6", "quantity_unreadable"],
    ]


def test_rejects_that_equal_those_of_the_next_date_take_no_room(many: Path) -> None:
    files = [many / "published" / f"as_of={day}" / "rejects.csv" for day in ("2011-01-21", AS_OF)]
    assert files[0].samefile(files[1])


def test_a_date_before_the_first_sale_is_refused_whatever_the_param(
    run: RunJob, many: Path, tmp_path: Path
) -> None:
    lake, anyway = copy_of(many, tmp_path / "lake"), {"publish_anyway": True}
    for task in ("rfm", "segment"):
        assert run(task, lake, "2011-01-03", anyway).code == 0
    assert run("publish", lake, "2011-01-03", anyway).refusal == (
        "publish: as of 2011-01-03 nobody counts. Nothing was published. The first purchase is of "
        "2011-01-03, invoice 100 in 2011-01-03.csv, and the last of 2011-02-10: run it as of 2011-01-04 or "
        "later, such as make run AS_OF=2011-02-11"
    )
    assert not (lake / "published" / "as_of=2011-01-03").exists()


# -- variants -----------------------------------------------------------------------------------


def links(folder: Path) -> dict[str, Path]:
    """The targets of a folder's links."""
    return {link.name: link.readlink() for link in folder.iterdir() if link.is_symlink()}


@dataclass
class Variants:
    """A lake with snapshots to which two variants were added."""

    published: Path
    links_before: dict[str, Path]
    other_map: Path
    look_back: Path


@pytest.fixture(scope="module")
def variants(snapshot: Snapshot, many: Path, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    lake = copy_of(many, tmp_path_factory.mktemp("variants") / "lake")
    published = lake / "published"
    before = links(published)
    other_map = snapshot(lake, AS_OF, {"segment_map": "rf10"}, first="rfm")
    look_back = snapshot(lake, "2011-02-20", {"cancellations": "drop", "lookback_days": 15}, first="rfm")
    return Variants(published, before, other_map, look_back)


def test_params_that_say_what_is_configured_make_no_variant(many: Path) -> None:
    assert not (many / "published" / "variants").exists()


def test_a_variant_is_published_under_the_label_of_its_params(variants: Variants) -> None:
    folder = variants.published / "variants"
    assert variants.other_map == folder / "segment_map=rf10" / f"as_of={AS_OF}"
    assert variants.look_back == folder / "cancellations=drop,lookback_days=15" / "as_of=2011-02-20"
    assert {file.name for file in variants.other_map.iterdir()} == FILES - {"cleaned_data.csv"}


def test_a_variant_leaves_the_snapshots_and_latest_alone(variants: Variants) -> None:
    assert links(variants.published) == variants.links_before


def test_a_variant_with_another_map_has_its_segments(variants: Variants) -> None:
    segments = {name: row["segment"] for name, row in customers_of(variants.other_map).items()}
    # The same scores 53, 23, 11, 53, 51 by the map on R and F.
    assert segments == {
        "101": "Potential Loyalists",
        "102": "At Risk",
        "103": "Hibernating",
        "104": "Potential Loyalists",
        "C-0042": "New Customers",
    }


def test_a_variant_with_a_look_back_counts_its_days_only(variants: Variants) -> None:
    # From 2011-02-05 on: the orders of 8 and 10 February, no cancellation.
    customers = customers_of(variants.look_back)
    money = {name: (row["frequency"], str(row["monetary"])) for name, row in customers.items()}
    assert money == {"101": (2, "7.00"), "104": (1, "200.00"), "C-0042": (1, "5.00")}


def test_the_orders_behind_a_variant_add_up_to_its_customers(variants: Variants) -> None:
    for folder in (variants.other_map, variants.look_back):
        assert added_orders(variants.published.parent, folder) == sums_of(folder)


# -- files that come, change and go -------------------------------------------------------------


@pytest.fixture(scope="module")
def changed(snapshot: Snapshot, shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's lake after a run that found a file deleted, one changed, and one late. For reading only."""
    lake = copy_of(shop, tmp_path_factory.mktemp("changed") / "lake")
    (lake / "landing" / "2011-01-20.csv").unlink()
    malta = [f"115,A,LAMP,{n},2011-02-09 08:00:00,5,107,Malta" for n in range(1, 6)]
    land(lake, "2011-02-08.csv", [*SHOP["2011-02-08.csv"][:2], *malta])
    land(lake, "late/2010-12-24.csv.gz", ["099,A,LAMP,3,2010-12-24 08:00:00,5,103,United Kingdom"])
    snapshot(lake, params=EXPORT)
    return lake


def test_new_changed_and_deleted_files_give_what_a_new_lake_gives(
    snapshot: Snapshot, changed: Path, published: Path, tmp_path: Path
) -> None:
    scratch = snapshot(same_landing(changed, tmp_path), params=EXPORT)
    found = content(changed / "published" / f"as_of={AS_OF}")
    assert found == content(scratch) != content(published)


def test_only_new_and_changed_files_are_converted(changed: Path) -> None:
    record = json.loads((changed / "published" / f"as_of={AS_OF}" / "run.json").read_text())
    assert record["stages"]["ingest"]["files_converted"] == 2


def test_orders_come_and_go_with_their_files(changed: Path) -> None:
    folder = changed / "published" / f"as_of={AS_OF}"
    assert added_orders(changed, folder) == sums_of(folder)


def test_customers_come_and_go_with_their_files(changed: Path) -> None:
    customers = customers_of(changed / "published" / f"as_of={AS_OF}")
    assert set(customers) == {"101", "102", "103", "107", "C-0042"}
    assert str(customers["103"]["first_purchase_date"]) == "2010-12-24"


def test_changes_that_are_undone_leave_no_trace(
    snapshot: Snapshot, changed: Path, published: Path, tmp_path: Path
) -> None:
    lake = copy_of(changed, tmp_path / "lake")
    (lake / "landing" / "late" / "2010-12-24.csv.gz").unlink()
    open_shop(lake)
    assert content(snapshot(lake, params=EXPORT)) == content(published)


def without_rejects(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without the one table that names the landed files."""
    return {name: data for name, data in files.items() if name != "rejects.csv"}


@pytest.fixture(scope="module")
def delivered_twice(snapshot: Snapshot, shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's lake after a run that found a file under two names. For reading only."""
    lake = copy_of(shop, tmp_path_factory.mktemp("twice") / "lake")
    shutil.copy(lake / "landing" / "2011-01-20.csv", lake / "landing" / "resent 2011-01-20.csv")
    snapshot(lake, params=EXPORT)
    return lake


def test_a_file_delivered_twice_counts_once_and_is_reported(delivered_twice: Path, published: Path) -> None:
    folder = delivered_twice / "published" / f"as_of={AS_OF}"
    assert content(folder) == content(published)
    reported = json.loads((folder / "run.json").read_text())["stages"]["ingest"]["files_not_counted"]
    assert reported == {"resent 2011-01-20.csv": "has the same content as 2011-01-20.csv"}


def test_the_copy_takes_over_when_the_first_file_is_withdrawn(
    snapshot: Snapshot, delivered_twice: Path, published: Path, tmp_path: Path
) -> None:
    lake = copy_of(delivered_twice, tmp_path / "lake")
    (lake / "landing" / "2011-01-20.csv").unlink()
    taken_over = content(snapshot(lake, params=EXPORT))
    assert without_rejects(taken_over) == without_rejects(content(published))
    assert b"resent 2011-01-20.csv" in taken_over["rejects.csv"]


def test_other_headers_delimiters_and_odd_names_are_read(
    snapshot: Snapshot, shop: Path, published: Path, tmp_path: Path
) -> None:
    """The second delivery with its columns in another order, semicolons, a BOM, CRLF, an odd name."""
    lake = same_landing(shop, tmp_path / "the lake, of 100% #1")
    rows = [line.split(",")[::-1] for line in [HEADER, *SHOP["2011-01-20.csv"]]]
    text = "".join(";".join([*row, "extra"]) + "\r\n" for row in rows)
    (lake / "landing" / "2011-01-20.csv").unlink()
    tables.land(lake / "landing", "shop [2] {a}, 100%.csv", ("\ufeff" + text).encode())
    found = content(snapshot(lake, params=EXPORT))
    assert without_rejects(found) == without_rejects(content(published))


# -- rules that look at each line ---------------------------------------------------------------

DROP_REPEATS = {"duplicates": "drop", **EXPORT}
# A third repeat of the lamps, a customer and a text that a spreadsheet would run, and five cups.
WITH_REPEAT = [
    SHOP["2011-02-08.csv"][2],
    '116,A,"=HYPERLINK(""x"")",1,2011-02-09 08:00:00,1,=1+1,@Malta',
    *[f"{n},A,CUP,1,2011-02-09 08:00:00,1,101,Malta" for n in range(117, 122)],
]


@pytest.fixture(scope="module")
def repeats_dropped(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's lake with one more delivery, after a run that drops repeats. For reading only."""
    lake = open_shop(tmp_path_factory.mktemp("repeats") / "lake")
    land(lake, "2011-02-09.csv", WITH_REPEAT)
    snapshot(lake, params=DROP_REPEATS)
    return lake


@pytest.fixture(scope="module")
def without_repeats(repeats_dropped: Path) -> Path:
    return repeats_dropped / "published" / "variants" / "duplicates=drop" / f"as_of={AS_OF}"


def test_dropped_repeats_are_rejected_across_files(without_repeats: Path) -> None:
    assert str(customers_of(without_repeats)["104"]["monetary"]) == "120.00"  # 4 x 5.00 + 20 x 5.00, once
    rejects = (without_repeats / "rejects.csv").read_text()
    assert rejects.count("duplicate_line") == 2
    assert "2011-02-08.csv,,5,duplicate_line" in rejects
    assert "2011-02-09.csv,,2,duplicate_line" in rejects


def test_a_repeat_counts_when_the_file_with_the_first_line_is_gone(
    snapshot: Snapshot, repeats_dropped: Path, tmp_path: Path
) -> None:
    lake = copy_of(repeats_dropped, tmp_path / "lake")
    (lake / "landing" / "2011-02-08.csv").unlink()
    folder = snapshot(lake, params=DROP_REPEATS)
    assert str(customers_of(folder)["104"]["monetary"]) == "120.00"
    assert "duplicate_line" not in (folder / "rejects.csv").read_text()


def test_no_published_text_is_a_formula_to_a_spreadsheet(without_repeats: Path) -> None:
    for name in ("rfm_df.csv", "cleaned_data.csv"):
        text = (without_repeats / name).read_text()
        assert "'=1+1" in text
        assert "'@Malta" in text
        assert ",=" not in text
    assert '"\'=HYPERLINK(""x"")"' in (without_repeats / "cleaned_data.csv").read_text()
    assert "=1+1" in customers_of(without_repeats), "as it is in Parquet"


def test_a_configured_deny_list_rejects_with_its_reason(
    snapshot: Snapshot, shop: Path, tmp_path: Path, config_copy: Path
) -> None:
    lake = copy_of(shop, tmp_path / "lake")
    configure(config_copy, "excluded_stock_codes: []", "excluded_stock_codes: [b]")
    folder = snapshot(lake, config=config_copy, first="clean")
    # Six lines of stock code B have a customer and a known invoice: 101 106 109 C110 112, and 114 of the
    # as-of day.
    assert (folder / "rejects.csv").read_text().count("excluded_stock_code") == 5
    assert set(customers_of(folder)) == {"101", "103", "104", "C-0042"}
