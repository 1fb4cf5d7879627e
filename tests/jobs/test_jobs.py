"""The five jobs from end to end on a shop small enough to work out by hand."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests import tables
from tests.jobs.conftest import PROJECT, TASKS, Ended, RunJob, arguments
from tests.tables import HEADER, csv_bytes

CONFIG = PROJECT / "include" / "config"

# Three deliveries. What each line is good for is said at its end; the numbers are worked out below.
SHOP = {
    "2011-01-03.csv": [
        '100,A,"LAMP, RED",2,2011-01-03 08:00:00,5.00,101.0,United Kingdom',
        "101,B,MUG,1,2011-01-03 09:00:00,3.50,102.0,France",
        '102,C,"3"" NAIL",10,2011-01-03 10:00:00,0.001,103.0,United Kingdom',
        "103,A,LAMP,1,2011-01-03 10:00:00,9.00,,United Kingdom",  # missing_customer
        "104,A,LAMP,one,2011-01-03 10:00:00,9.00,101.0,United Kingdom",  # quantity_unreadable
    ],
    "2011-01-20.csv": [
        "105,A,LAMP,4,2011-01-20 08:00:00,5.00,104.0,United Kingdom",
        "106,B,MUG,2,2011-01-20 09:00:00,3.50,102.0,Spain",
        "C107,A,LAMP,-1,2011-01-20 10:00:00,5.00,101.0,United Kingdom",
        "A108,B,Adjust bad debt,1,2011-01-20 10:00:00,5.00,101.0,United Kingdom",  # unknown_invoice_type
        "109,B,MUG,1,2011-01-20 10:00:00,0,102.0,United Kingdom",  # price_not_positive
        "C110,B,MUG,-1,2011-01-20 10:00:00,3.50,106.0,United Kingdom",  # its customer never bought
    ],
    "2011-02-08.csv": [
        "111,A,LAMP,1,2011-02-08 08:00:00,5.00,C-0042,United Kingdom",
        "112,B,MUG,1,2011-02-08 09:00:00,3.50,101,United Kingdom",
        "113,A,LAMP,20,2011-02-08 09:30:00,5.00,104,United Kingdom",
        "113,A,LAMP,20,2011-02-08 09:30:00,5.00,104,United Kingdom",  # a repeat, which counts
        "114,B,MUG,1,2011-02-10 00:00:00,3.50,101,United Kingdom",  # on the as-of day: not before it
    ],
}

# As of 2011-02-10, n = 5. Recency 2 2 2 21 38: fewer than 0, 3, 4 are less, so bins 0, 3, 4.
# Frequency 1 1 2 2 2: bins 0 and 2. Monetary 0.01 5.00 8.50 10.50 220.00: bins 0 to 4.
# As of 2011-01-11, n = 3: all of 8 days and one order; monetary 0.01 3.50 10.00: bins 0, 1, 3.
RFM_DF = """\
as_of,customer_id,country,first_purchase_date,last_purchase_date,recency_days,frequency,monetary,gross,returned,avg_order_value,r_score,f_score,m_score,rfm_score,segment,previous_segment
2011-02-10,101,United Kingdom,2011-01-03,2011-02-08,2,2,8.50,13.50,5.00,4.25,5,3,3,533,Potential Loyalists,Promising
2011-02-10,102,Spain,2011-01-03,2011-01-20,21,2,10.50,10.50,0.00,5.25,2,3,4,234,At Risk,New Customers
2011-02-10,103,United Kingdom,2011-01-03,2011-01-03,38,1,0.01,0.01,0.00,0.01,1,1,1,111,Lost,New Customers
2011-02-10,104,United Kingdom,2011-01-20,2011-02-08,2,2,220.00,220.00,0.00,110.00,5,3,5,535,Need Attention,
2011-02-10,C-0042,United Kingdom,2011-02-08,2011-02-08,2,1,5.00,5.00,0.00,5.00,5,1,2,512,New Customers,
"""  # noqa: E501 - as published
SUMMARY = """\
segment,customers,customer_share,orders,revenue,revenue_share,avg_recency_days,avg_frequency,avg_monetary,median_monetary
Champions,0,0.0000,0,0.00,0.0000,,,,
Loyal Customers,0,0.0000,0,0.00,0.0000,,,,
Potential Loyalists,1,0.2000,2,8.50,0.0348,2.00,2.00,8.50,8.50
New Customers,1,0.2000,1,5.00,0.0205,2.00,1.00,5.00,5.00
Promising,0,0.0000,0,0.00,0.0000,,,,
Need Attention,1,0.2000,2,220.00,0.9016,2.00,2.00,220.00,220.00
About To Sleep,0,0.0000,0,0.00,0.0000,,,,
At Risk,1,0.2000,2,10.50,0.0430,21.00,2.00,10.50,10.50
Can't Lose Them,0,0.0000,0,0.00,0.0000,,,,
Hibernating,0,0.0000,0,0.00,0.0000,,,,
Lost,1,0.2000,1,0.01,0.0000,38.00,1.00,0.01,0.01
"""
MOVEMENT = """\
previous_segment,segment,customers
New Customers,At Risk,1
New Customers,Lost,1
Promising,Potential Loyalists,1
Not yet a customer,New Customers,1
Not yet a customer,Need Attention,1
"""
REJECTS = """\
stage,file,line,reason,raw
clean,2011-01-03.csv,5,missing_customer,"103,A,LAMP,1,2011-01-03 10:00:00,9.00,,United Kingdom"
clean,2011-01-20.csv,5,unknown_invoice_type,"A108,B,Adjust bad debt,1,2011-01-20 10:00:00,5.00,101.0,United Kingdom"
clean,2011-01-20.csv,6,price_not_positive,"109,B,MUG,1,2011-01-20 10:00:00,0,102.0,United Kingdom"
ingest,2011-01-03.csv,6,quantity_unreadable,"104,A,LAMP,one,2011-01-03 10:00:00,9.00,101.0,United Kingdom"
"""  # noqa: E501 - as published
CLEANED_DATA = """\
invoice_no,stock_code,description,quantity,invoice_date,unit_price,customer_id,country,line_type,amount
100,A,"LAMP, RED",2,2011-01-03 08:00:00,5.00,101,United Kingdom,purchase,10.00
101,B,MUG,1,2011-01-03 09:00:00,3.50,102,France,purchase,3.50
102,C,"3"" NAIL",10,2011-01-03 10:00:00,0.001,103,United Kingdom,purchase,0.01
105,A,LAMP,4,2011-01-20 08:00:00,5.00,104,United Kingdom,purchase,20.00
106,B,MUG,2,2011-01-20 09:00:00,3.50,102,Spain,purchase,7.00
C107,A,LAMP,-1,2011-01-20 10:00:00,5.00,101,United Kingdom,cancellation,-5.00
C110,B,MUG,-1,2011-01-20 10:00:00,3.50,106,United Kingdom,cancellation,-3.50
111,A,LAMP,1,2011-02-08 08:00:00,5.00,C-0042,United Kingdom,purchase,5.00
112,B,MUG,1,2011-02-08 09:00:00,3.50,101,United Kingdom,purchase,3.50
113,A,LAMP,20,2011-02-08 09:30:00,5.00,104,United Kingdom,purchase,100.00
113,A,LAMP,20,2011-02-08 09:30:00,5.00,104,United Kingdom,purchase,100.00
114,B,MUG,1,2011-02-10 00:00:00,3.50,101,United Kingdom,purchase,3.50
"""
CUT_POINTS = {
    "recency_days": [2, 2, 2, 21],
    "frequency": [1, 1, 2, 2],
    "monetary": ["0.01", "5.00", "8.50", "10.50"],
}
TEXTS = {
    "rfm_df.csv": RFM_DF,
    "segment_summary.csv": SUMMARY,
    "segment_movement.csv": MOVEMENT,
    "rejects.csv": REJECTS,
    "cleaned_data.csv": CLEANED_DATA,
}
FILES = {"customer_segments.parquet", "cut_points.json", "run.json", *TEXTS}

Snapshot = Callable[..., Path]


def land(lake: Path, name: str, lines: list[str], header: str = HEADER) -> Path:
    data = csv_bytes(*lines, header=header)
    return tables.land(lake / "landing", name, gzip.compress(data) if name.endswith(".gz") else data)


def open_shop(lake: Path) -> Path:
    for name, lines in SHOP.items():
        land(lake, name, lines)
    return lake


def copy_of(lake: Path, new: Path) -> Path:
    """The whole lake once more, for tests that change it."""
    return Path(shutil.copytree(lake, new, symlinks=True))


def same_landing(lake: Path, new: Path) -> Path:
    shutil.copytree(lake / "landing", new / "landing")
    return new


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of all published files, but for the record of times and application ids."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "run.json"}


# -- the shop, really submitted -------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(submit: RunJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the shop's snapshot as of 2011-02-10, by five real submits. For reading only."""
    lake = open_shop(tmp_path_factory.mktemp("a shop") / "lake")
    given = [*arguments(lake, "2011-02-10", {"export_cleaned_data": True}, None), "--dag-run", "manual__1"]
    for task in TASKS:
        ended = submit(task, given)
        assert ended.code == 0, ended.log[-5000:]
        assert f"{task}  done in " in ended.last_line
    return lake


@pytest.fixture(scope="module")
def published(shop: Path) -> Path:
    return shop / "published" / "as_of=2011-02-10"


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


def test_the_record_reconciles_every_stage_and_says_what_made_it(published: Path) -> None:
    record = json.loads((published / "run.json").read_text())
    stages = record["stages"]
    assert list(stages) == TASKS
    for stage in stages.values():
        assert stage["rows_in"] == stage["rows_out"] + sum(stage["rejects"].values())
        assert stage["seconds"] >= 0
        assert stage["application_id"]
        assert stage["dag_run"] == "manual__1"
    assert {task: (stages[task]["rows_in"], stages[task]["rows_out"]) for task in TASKS} == {
        "ingest": (16, 15),
        "clean": (15, 12),
        "rfm": (12, 10),
        "segment": (5, 5),
        "publish": (5, 5),
    }
    assert stages["ingest"]["rejects"] == {"quantity_unreadable": 1}
    reasons = ("missing_customer", "price_not_positive", "unknown_invoice_type")
    assert stages["clean"]["rejects"] == dict.fromkeys(reasons, 1)
    left_out = {name: count for name, count in stages["rfm"]["rejects"].items() if count}
    assert left_out == {"on_or_after_as_of": 1, "customer_without_purchase": 1}
    assert record["as_of"] == "2011-02-10"
    assert record["variant"] is None
    assert record["config"]["settings"]["cancellations"] == "net"
    assert record["config_hash"]
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
    ended = submit("ingest", arguments(tmp_path, "2011-02-10", None, None))
    assert "has no .csv or .csv.gz file" in ended.refusal


# -- refusals -------------------------------------------------------------------------------------


def test_a_missing_landing_folder_is_refused(run: RunJob, tmp_path: Path) -> None:
    assert f"landing folder {tmp_path}/lake/landing is missing" in run("ingest", tmp_path / "lake").refusal


def test_hidden_and_other_files_are_not_landed(run: RunJob, tmp_path: Path) -> None:
    for name in (".2011.csv", "_tmp/2011.csv", "readme.txt", ".2011.csv.part"):
        land(tmp_path, name, SHOP["2011-01-03.csv"])
    assert "has no .csv or .csv.gz file" in run("ingest", tmp_path).refusal


def test_a_missing_column_is_refused_with_the_file_and_what_it_has(run: RunJob, tmp_path: Path) -> None:
    open_shop(tmp_path)
    header = HEADER.replace("UnitPrice", "Preis").replace("Country", "Land")
    land(tmp_path, "north/2011-02-09.csv", [], header)
    message = run("ingest", tmp_path).refusal
    assert message.startswith("ingest: north/2011-02-09.csv: line 1: column UnitPrice, Country missing")
    assert (
        "it has InvoiceNo, StockCode, Description, Quantity, InvoiceDate, Preis, CustomerID, Land" in message
    )


def test_files_without_a_line_below_their_header_are_no_shop(run: RunJob, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("task", ["rfm", "segment", "publish"])
def test_a_job_before_its_turn_is_refused(run: RunJob, tmp_path: Path, task: str) -> None:
    message = run(task, open_shop(tmp_path)).refusal
    assert message.startswith(f"{task}: ")
    assert "first" in message
    assert not (tmp_path / "published").exists()


@pytest.mark.parametrize("task", ["segment", "publish"])
def test_a_job_after_a_change_of_the_configuration_is_refused(
    run: RunJob, shop: Path, tmp_path: Path, task: str
) -> None:
    """What lies there was made by the configuration before, and a snapshot is of one."""
    lake, config = copy_of(shop, tmp_path / "lake"), tmp_path / "config"
    shutil.copytree(PROJECT / "include" / "config", config)
    file = config / "segmentation.yaml"
    file.write_text(file.read_text().replace("reject_threshold: 0.50", "reject_threshold: 0.40"))
    assert run(task, lake, config=config).code == 0, "it may be wanted for the very rejects"
    file.write_text(file.read_text().replace("compare_days: 30", "compare_days: 31"))
    assert (
        "was made with another configuration; clear the run from rfm on"
        in run(task, lake, config=config).refusal
    )


def test_too_many_rejects_are_refused_and_the_snapshot_before_stays(
    run: RunJob, shop: Path, tmp_path: Path
) -> None:
    lake = copy_of(shop, tmp_path / "lake")
    folder = lake / "published" / "as_of=2011-02-10"
    before, version = content(folder), folder.resolve()
    land(lake, "2011-02-09.csv", ["115,A,LAMP,some,2011-02-09 08:00:00,5,101,United Kingdom"] * 30)
    for task in TASKS[:-1]:
        assert run(task, lake).code == 0
    message = run("publish", lake).refusal
    assert "ingest rejected 31 of 46 lines (67.4%) as quantity_unreadable" in message
    assert "more than the 50.0% that reject_baseline and reject_threshold allow" in message
    assert folder.resolve() == version
    assert content(folder) == before


# -- runs in any order, and again -----------------------------------------------------------------


def test_a_run_again_publishes_the_same_bytes(snapshot: Snapshot, shop: Path, tmp_path: Path) -> None:
    """Another lake, another process, another order of work: the same bytes as really submitted."""
    lake = same_landing(shop, tmp_path)
    wanted = content(shop / "published" / "as_of=2011-02-10")
    params = {"export_cleaned_data": True}
    first = snapshot(lake, params=params)
    version = first.resolve()
    assert content(first) == wanted
    again = snapshot(lake, params=params)
    assert again.resolve() != version, "published anew"
    assert content(again) == wanted
    record = json.loads((again / "run.json").read_text())
    assert record["stages"]["ingest"]["files_converted"] == 0
    assert record["stages"]["clean"]["files_cleaned"] == 0


SAME_AS_CONFIGURED = {"segment_map": "rfm11", "cancellations": "net", "lookback_days": None}


@pytest.fixture(scope="module")
def many(snapshot: Snapshot, shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with snapshots of three dates, the newest not the last to be made."""
    lake = copy_of(shop, tmp_path_factory.mktemp("many") / "lake")
    shutil.rmtree(lake / "published")
    snapshot(lake, "2011-01-21", first="rfm")
    snapshot(lake, "2011-02-10", SAME_AS_CONFIGURED, first="rfm")
    snapshot(lake, "2011-01-10", first="rfm")
    return lake


def test_latest_is_the_newest_date_and_not_the_last_run(many: Path) -> None:
    latest = many / "published" / "latest"
    assert latest.resolve() == (many / "published" / "as_of=2011-02-10").resolve()
    assert json.loads((latest / "run.json").read_text())["as_of"] == "2011-02-10"


def test_a_snapshot_depends_on_neither_the_runs_before_nor_params_that_say_the_same(
    many: Path, shop: Path
) -> None:
    wanted = content(shop / "published" / "as_of=2011-02-10")
    del wanted["cleaned_data.csv"]  # which is off unless a run asks for it
    assert content(many / "published" / "as_of=2011-02-10") == wanted
    assert not (many / "published" / "variants").exists()


def test_all_dates_read_as_one_table(many: Path) -> None:
    files = sorted((many / "published").glob("as_of=*/customer_segments.parquet"))
    rows = [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
    assert {str(row["as_of"]) for row in rows} == {"2011-01-10", "2011-01-21", "2011-02-10"}
    assert len({(row["as_of"], row["customer_id"]) for row in rows}) == len(rows) == 3 + 4 + 5


def test_a_variant_leaves_the_snapshots_and_latest_alone(many: Path, snapshot: Snapshot) -> None:
    published = many / "published"
    before = {link.name: link.readlink() for link in published.iterdir() if link.is_symlink()}
    rf10 = snapshot(many, "2011-02-10", {"segment_map": "rf10"}, first="rfm")
    newer = snapshot(many, "2011-02-20", {"cancellations": "drop", "lookback_days": 15}, first="rfm")
    assert rf10 == published / "variants" / "segment_map=rf10" / "as_of=2011-02-10"
    assert newer == published / "variants" / "cancellations=drop,lookback_days=15" / "as_of=2011-02-20"
    assert {link.name: link.readlink() for link in published.iterdir() if link.is_symlink()} == before

    names = {"customer_segments.parquet", "cut_points.json", "run.json", *TEXTS} - {"cleaned_data.csv"}
    assert {file.name for file in rf10.iterdir()} == names
    segments = {row["customer_id"]: row["segment"] for row in rows_of(rf10)}
    # The same scores 53, 23, 11, 53, 51 by the map on R and F.
    assert segments == {
        "101": "Potential Loyalists",
        "102": "At Risk",
        "103": "Hibernating",
        "104": "Potential Loyalists",
        "C-0042": "New Customers",
    }
    # From 2011-02-05 on: the orders of 8 and 10 February, no cancellation.
    money = {row["customer_id"]: (row["frequency"], str(row["monetary"])) for row in rows_of(newer)}
    assert money == {"101": (2, "7.00"), "104": (1, "200.00"), "C-0042": (1, "5.00")}


def rows_of(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(
        folder / "customer_segments.parquet", partitioning=None
    ).to_pylist()
    return rows


def test_a_date_before_the_first_sale_has_an_empty_snapshot(many: Path, snapshot: Snapshot) -> None:
    folder = snapshot(many, "2011-01-03", first="rfm")
    assert rows_of(folder) == []
    assert (folder / "rfm_df.csv").read_bytes().decode() == RFM_DF.splitlines()[0] + "\r\n"
    assert (folder / "segment_movement.csv").read_text().split() == ["previous_segment,segment,customers"]
    summary = (folder / "segment_summary.csv").read_text().splitlines()
    assert summary[1] == "Champions,0,0.0000,0,0.00,,,,,"
    assert len(summary) == 1 + 11
    assert json.loads((folder / "cut_points.json").read_text()) == {
        "recency_days": [],
        "frequency": [],
        "monetary": [],
    }


# -- files that come, change and go ---------------------------------------------------------------


def test_new_changed_and_deleted_files_leave_no_trace(snapshot: Snapshot, shop: Path, tmp_path: Path) -> None:
    """The lake publishes what one made from scratch publishes, and what it did before once all is undone."""
    lake = copy_of(shop, tmp_path / "lake")
    params = {"export_cleaned_data": True}
    original = content(lake / "published" / "as_of=2011-02-10")

    (lake / "landing" / "2011-01-20.csv").unlink()
    malta = [f"115,A,LAMP,{n},2011-02-09 08:00:00,5,107,Malta" for n in range(1, 6)]
    land(lake, "2011-02-08.csv", [*SHOP["2011-02-08.csv"][:2], *malta])
    late = land(lake, "late/2010-12-24.csv.gz", ["099,A,LAMP,3,2010-12-24 08:00:00,5,103,United Kingdom"])
    changed = snapshot(lake, params=params)
    record = json.loads((changed / "run.json").read_text())
    assert record["stages"]["ingest"]["files_converted"] == 2
    scratch = snapshot(same_landing(lake, tmp_path / "scratch"), params=params)
    assert content(changed) == content(scratch) != original
    customers = {row["customer_id"]: row for row in rows_of(changed)}
    assert set(customers) == {"101", "102", "103", "107", "C-0042"}
    assert str(customers["103"]["first_purchase_date"]) == "2010-12-24"

    late.unlink()
    open_shop(lake)
    assert content(snapshot(lake, params=params)) == original


def without_rejects(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without the one table that names the landed files."""
    return {name: data for name, data in files.items() if name != "rejects.csv"}


def test_a_file_delivered_twice_counts_once_and_is_reported(
    snapshot: Snapshot, shop: Path, tmp_path: Path
) -> None:
    lake = copy_of(shop, tmp_path / "lake")
    params = {"export_cleaned_data": True}
    once = content(lake / "published" / "as_of=2011-02-10")
    shutil.copy(lake / "landing" / "2011-01-20.csv", lake / "landing" / "resent 2011-01-20.csv")
    folder = snapshot(lake, params=params)
    assert content(folder) == once
    reported = json.loads((folder / "run.json").read_text())["stages"]["ingest"]["files_not_counted"]
    assert reported == {"resent 2011-01-20.csv": "has the same content as 2011-01-20.csv"}

    # The copy takes over when the first is withdrawn.
    (lake / "landing" / "2011-01-20.csv").unlink()
    taken_over = content(snapshot(lake, params=params))
    assert without_rejects(taken_over) == without_rejects(once)
    assert b"resent 2011-01-20.csv" in taken_over["rejects.csv"]


def test_other_headers_delimiters_and_odd_names_are_read(
    snapshot: Snapshot, shop: Path, tmp_path: Path
) -> None:
    """The second delivery with its columns in another order, semicolons, a BOM, CRLF, an odd name."""
    lake = same_landing(shop, tmp_path / "the lake, of 100% #1")
    rows = [line.split(",")[::-1] for line in [HEADER, *SHOP["2011-01-20.csv"]]]
    text = "".join(";".join([*row, "extra"]) + "\r\n" for row in rows)
    (lake / "landing" / "2011-01-20.csv").unlink()
    tables.land(lake / "landing", "shop [2] {a}, 100%.csv", ("\ufeff" + text).encode())
    published = content(snapshot(lake, params={"export_cleaned_data": True}))
    assert without_rejects(published) == without_rejects(content(shop / "published" / "as_of=2011-02-10"))


def test_dropped_duplicates_are_rejected_across_files_and_come_back(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    lake = open_shop(tmp_path / "lake")
    params = {"duplicates": "drop", "export_cleaned_data": True}
    # A third repeat of the lamps, a customer and a text that a spreadsheet would run, and five cups.
    cups = [f"{n},A,CUP,1,2011-02-09 08:00:00,1,101,Malta" for n in range(117, 122)]
    formula = '116,A,"=HYPERLINK(""x"")",1,2011-02-09 08:00:00,1,=1+1,@Malta'
    land(lake, "2011-02-09.csv", [SHOP["2011-02-08.csv"][2], formula, *cups])
    folder = snapshot(lake, params=params)
    assert "duplicates=drop" in str(folder)
    assert {row["customer_id"]: str(row["monetary"]) for row in rows_of(folder)}["104"] == "120.00"
    rejects = (folder / "rejects.csv").read_text()
    assert rejects.count("duplicate_line") == 2
    assert "2011-02-08.csv,5,duplicate_line" in rejects
    assert "2011-02-09.csv,2,duplicate_line" in rejects

    for name in ("rfm_df.csv", "cleaned_data.csv"):
        text = (folder / name).read_text()
        assert "'=1+1" in text
        assert "'@Malta" in text
        assert ",=" not in text
    assert '"\'=HYPERLINK(""x"")"' in (folder / "cleaned_data.csv").read_text()
    assert "=1+1" in {row["customer_id"] for row in rows_of(folder)}

    (lake / "landing" / "2011-02-08.csv").unlink()
    folder = snapshot(lake, params=params)
    assert {row["customer_id"]: str(row["monetary"]) for row in rows_of(folder)}["104"] == "120.00"
    assert "duplicate_line" not in (folder / "rejects.csv").read_text()


def test_a_configured_deny_list_rejects_with_its_reason(
    snapshot: Snapshot, shop: Path, tmp_path: Path
) -> None:
    lake, config = copy_of(shop, tmp_path / "lake"), tmp_path / "config"
    shutil.copytree(CONFIG, config)
    text = (config / "segmentation.yaml").read_text()
    text = text.replace("excluded_stock_codes: []", "excluded_stock_codes: [b]")
    (config / "segmentation.yaml").write_text(text)
    folder = snapshot(lake, config=config, first="clean")
    # Seven lines of stock code B have a customer: 101 106 A108 109 C110 112 114.
    assert (folder / "rejects.csv").read_text().count("excluded_stock_code") == 7
    assert {row["customer_id"] for row in rows_of(folder)} == {"101", "103", "104", "C-0042"}


def test_what_is_no_refusal_ends_with_1_and_a_closing_line(run: RunJob, tmp_path: Path) -> None:
    """Trouble with the volume, here a file in a folder's place, may be tried again."""
    (open_shop(tmp_path) / "ingested").touch()
    ended: Ended = run("ingest", tmp_path)
    assert ended.code == 1, ended.log[-2000:]
    assert ended.last_line.startswith("rfm error: ingest: ")
    assert f"{tmp_path}/ingested" in ended.last_line
