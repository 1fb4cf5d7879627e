"""Published folders are loaded into a real Postgres: what readers see before, during and after."""

import csv
import json
import re
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import OutdatedError, TransientError
from include.lake.record import PublishedConfig, RunRecord
from include.lake.state import StageRecord, state_text
from include.pipeline import PROJECT, TASKS
from include.published import warehouse
from include.published.files import write_small_csv
from include.published.tables import CUSTOMER_SEGMENTS, SEGMENT_MOVEMENT, SEGMENT_SUMMARY
from include.settings import RunConfig
from tests.postgres import Server

DAY = date(2011, 12, 10)
README = PROJECT / "README.md"
ODD = ["'); drop table customer_segments; --", 'a "quoted"\n\\.\n\\N,\t', "\\.", "", " ", "NULL", "Zoë 客户"]


# -- published folders --------------------------------------------------------------------------


def customer_row(customer: str, as_of: date, monetary: str) -> dict[str, object]:
    """A row of customer_segments. The customer 1 has no country."""
    return {
        "as_of": as_of,
        "customer_id": customer,
        "country": None if customer == "1" else customer,
        "first_purchase_date": as_of - timedelta(days=9),
        "last_purchase_date": as_of - timedelta(days=3),
        "recency_days": 3,
        "frequency": 2,
        "monetary": Decimal(monetary),
        "gross": Decimal("20.00"),
        "returned": Decimal("7.50"),
        "avg_order_value": Decimal("6.25"),
        "r_score": 5,
        "f_score": 4,
        "m_score": 1,
        "rfm_score": "541",
        "segment": "Champions",
        "previous_segment": None,
    }


def write_tables(folder: Path, rows: list[dict[str, object]]) -> None:
    table = pa.Table.from_pylist(rows, CUSTOMER_SEGMENTS.arrow_schema)
    pq.write_table(table, folder / "customer_segments.parquet")
    n = len(rows)
    champions = ["Champions", n, "1.0000", 2 * n, "25.00", "1.0000", "3.00", "2.00", "12.50", "12.50"]
    lost = ["Lost", 0, "0.0000", 0, "0.00", "", "", "", "", ""]
    small = {SEGMENT_SUMMARY: [champions, lost], SEGMENT_MOVEMENT: [["Not yet a customer", "Champions", n]]}
    for published, lines in small.items():
        with (folder / f"{published.name}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([published.names, *lines])


def stage(rows_in: int, rows_out: int) -> StageRecord:
    return StageRecord(
        rows_in=rows_in,
        rows_out=rows_out,
        rejects={},
        seconds=1.5,
        started="2011-12-10T02:00:00+00:00",
        dag_run="a run",
        application_id="app-1",
    )


def run_record(
    config: RunConfig, as_of: date, customers: int, dag_run: str, landing_version: int
) -> RunRecord:
    n = customers
    counts = {"ingest": (9, 9), "clean": (9, 8), "rfm": (8, 8), "segment": (n, n), "publish": (n, n)}
    return RunRecord(
        landing_version=landing_version,
        attempt=1,
        stages={task: stage(*rows) for task, rows in counts.items()},
        as_of=as_of,
        variant=None,
        dag_run=dag_run,
        published_at="2011-12-10T02:05:00+00:00",
        config_hash="0123456789ab",
        config=PublishedConfig.model_validate(config.model_dump(mode="json")),
        input_files={},
    )


@dataclass
class Snapshots:
    """Makes published folders as publish leaves them."""

    root: Path
    config: RunConfig

    def __call__(
        self,
        as_of: date = DAY,
        customers: Sequence[str] = ("1", "2"),
        *,
        landing_version: int = 1,
        dag_run: str = "a run",
        monetary: str = "12.50",
    ) -> Path:
        folder = self.root / f"{len(list(self.root.iterdir()))}"
        folder.mkdir()
        write_tables(folder, [customer_row(customer, as_of, monetary) for customer in customers])
        record = run_record(self.config, as_of, len(customers), dag_run, landing_version)
        (folder / "run.json").write_text(state_text(record))
        return folder


@pytest.fixture
def snapshot(tmp_path: Path, config: RunConfig) -> Snapshots:
    return Snapshots(tmp_path, config)


# -- what readers ask ---------------------------------------------------------------------------


def query(url: str, text: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(text, values).fetchall()


def customers(url: str, as_of: date = DAY) -> list[str]:
    found = query(url, "select customer_id from customer_segments where as_of = %s order by 1", as_of)
    return [row[0] for row in found]


def test_every_value_arrives_as_it_is_in_the_files(url: str, snapshot: Snapshots) -> None:
    folder = snapshot(customers=["1", *ODD], monetary="-1234567890123456.78")
    warehouse.load(folder, url)
    expected = pq.read_table(folder / "customer_segments.parquet").to_pylist()
    found = query(url, "table customer_segments")
    by_id = {row[1]: dict(zip(CUSTOMER_SEGMENTS.names, row, strict=True)) for row in found}
    assert by_id == {row["customer_id"]: row for row in expected}
    assert by_id[""]["country"] == ""
    assert by_id["1"]["country"] is None


def test_the_summary_of_segments_has_null_where_the_file_has_nothing(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(), url)
    summary = "select segment, customers, revenue, revenue_share, median_monetary from segment_summary"
    assert query(url, f"{summary} order by customers desc") == [
        ("Champions", 2, Decimal("25.00"), Decimal("1.0000"), Decimal("12.50")),
        ("Lost", 0, Decimal("0.00"), None, None),
    ]


def test_movement_comes_with_the_date_of_the_snapshot(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(), url)
    assert query(url, "table segment_movement") == [(DAY, "Not yet a customer", "Champions", 2)]


def test_the_segments_of_the_map_are_defined_in_its_order(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(), url)
    definitions = query(
        url, "select rank, segment, description, codes from segment_definitions order by rank"
    )
    assert len(definitions) == 11
    assert definitions[0][:2] == (1, "Champions")
    assert isinstance(definitions[0][3], list)


def test_the_run_that_made_the_snapshot_is_there_with_its_counts(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(dag_run="manual__1"), url)
    assert query(
        url,
        "select as_of, dag_run, lines_landed, lines_kept, customers,"
        " stages -> 'publish' ->> 'application_id' from pipeline_runs",
    ) == [(DAY, "manual__1", 9, 8, 2, "app-1")]


def test_the_record_of_a_stage_has_the_keys_that_analysts_know(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(), url)
    ((stages,),) = query(url, "select stages from pipeline_runs")
    assert set(stages) == set(TASKS)
    assert stages["clean"] == {
        "rows_in": 9,
        "rows_out": 8,
        "rejects": {},
        "seconds": 1.5,
        "started": "2011-12-10T02:00:00+00:00",
        "application_id": "app-1",
    }


def test_the_questions_of_the_readme_have_answers(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(), url)
    (block,) = re.findall(r"^```sql\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    questions = [text for text in block.split(";") if text.strip()]
    assert questions
    for question in questions:
        query(url, question)


def test_a_segment_whose_name_looks_like_a_formula_is_loaded_by_its_name(
    url: str, snapshot: Snapshots
) -> None:
    folder = snapshot()
    record = json.loads((folder / "run.json").read_text())
    record["config"]["segment_map"]["segments"][0]["name"] = "+VIP"
    (folder / "run.json").write_text(json.dumps(record))
    for name in ("segment_summary", "segment_movement"):
        file = folder / f"{name}.csv"
        with file.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            row["segment"] = row["segment"].replace("Champions", "+VIP")
        write_small_csv(file, list(rows[0]), rows)
    assert "'+VIP" in (folder / "segment_summary.csv").read_text()
    warehouse.load(folder, url)
    joined = "select segment, customers from segment_summary join segment_definitions using (as_of, segment)"
    assert query(url, f"{joined} where rank = 1") == [("+VIP", 2)]
    assert query(url, "select segment from segment_movement") == [("+VIP",)]


def test_running_a_date_again_replaces_that_date_and_no_other(url: str, snapshot: Snapshots) -> None:
    other = DAY + timedelta(days=1)
    warehouse.load(snapshot(customers=["1", "2"]), url)
    warehouse.load(snapshot(other, customers=["1", "2", "3"]), url)
    warehouse.load(snapshot(customers=["2", "9"], dag_run="again"), url)
    assert customers(url) == ["2", "9"]
    assert customers(url, other) == ["1", "2", "3"]
    assert query(url, "select dag_run from pipeline_runs order by as_of") == [("again",), ("a run",)]


def test_an_older_date_never_becomes_latest(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(customers=["new"]), url)
    warehouse.load(snapshot(DAY - timedelta(days=30), customers=["old"]), url)
    assert query(url, "select customer_id, as_of from customer_segments_latest") == [("new", DAY)]


def test_a_snapshot_from_an_older_state_of_the_landing_folder_never_replaces_a_newer_one(
    url: str, snapshot: Snapshots
) -> None:
    warehouse.load(snapshot(customers=["new"], landing_version=7), url)
    warehouse.load(snapshot(customers=["old"], landing_version=6), url)
    assert customers(url) == ["new"]
    warehouse.load(snapshot(customers=["same"], landing_version=7), url)
    assert customers(url) == ["same"]


def test_readers_see_the_snapshot_before_until_the_whole_new_one_is_there(
    url: str, snapshot: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.load(snapshot(customers=["before"]), url)
    half_way, read = threading.Event(), threading.Event()
    whole = warehouse.csv_batches

    def paused(file: Path) -> Iterator[memoryview]:
        yield from whole(file)
        half_way.set()
        assert read.wait(20)

    monkeypatch.setattr(warehouse, "csv_batches", paused)
    with ThreadPoolExecutor() as pool:
        load = pool.submit(warehouse.load, snapshot(customers=["after", "too"]), url)
        assert half_way.wait(20)
        seen = customers(url), query(url, "select customer_id from customer_segments_latest")
        read.set()
        load.result()
    assert seen == (["before"], [("before",)])
    assert customers(url) == ["after", "too"]


def test_a_load_does_not_wait_for_a_reader(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(customers=["before"]), url)
    with psycopg.connect(url) as reader:
        reader.execute("select * from customer_segments_latest")  # and its transaction goes on
        warehouse.load(snapshot(customers=["after"]), url)
    assert customers(url) == ["after"]


def test_a_load_that_fails_half_way_leaves_the_snapshot_before(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(customers=["before"]), url)
    folder = snapshot(customers=["twice", "twice"])
    with pytest.raises(psycopg.errors.UniqueViolation):
        warehouse.load(folder, url)
    assert customers(url) == ["before"]


def test_a_snapshot_whose_record_counts_other_customers_is_refused(url: str, snapshot: Snapshots) -> None:
    folder = snapshot()
    shutil.copy(snapshot(customers=["1"]) / "customer_segments.parquet", folder)
    with pytest.raises(OutdatedError, match="does not count the 1 customers"):
        warehouse.load(folder, url)
    assert customers(url) == []


def test_loads_at_the_same_time_end_as_if_one_after_the_other(url: str, snapshot: Snapshots) -> None:
    days = [DAY - timedelta(days=n) for n in range(4)]
    folders = [snapshot(day, [f"{n}"], landing_version=n) for day in days for n in range(1, 4)]
    with ThreadPoolExecutor(len(folders)) as pool:
        list(pool.map(lambda folder: warehouse.load(folder, url), folders))
    assert [customers(url, day) for day in days] == [["3"]] * 4
    assert query(url, "select listing from pipeline_runs") == [(3,)] * 4


def test_a_load_waits_for_a_server_that_goes_away_half_way(
    server: Server, url: str, snapshot: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.load(snapshot(customers=["before"]), url)
    whole, tries = warehouse.csv_batches, list[Path]()

    def interrupted(file: Path) -> Iterator[memoryview]:
        tries.append(file)
        yield from whole(file)
        if len(tries) == 1:
            server.stop()
            threading.Timer(2, server.start).start()

    monkeypatch.setattr(warehouse, "csv_batches", interrupted)
    warehouse.load(snapshot(customers=["after"]), url)
    assert len(tries) == 2
    assert customers(url) == ["after"]


def test_a_server_that_stays_away_fails_the_task(
    snapshot: Snapshots, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(warehouse, "OUTAGE_SECONDS", 1)
    with pytest.raises(psycopg.OperationalError):
        warehouse.load(snapshot(), f"postgresql://test@/postgres?host={tmp_path}")


def test_the_role_for_readers_reads_everything_and_changes_nothing(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(), url)
    tables = ["customer_segments", "customer_segments_latest", "segment_summary", "segment_movement",
              "segment_definitions", "pipeline_runs"]  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set role rfm_reader")
        for table in tables:
            assert connection.execute(f"select from {table}").rowcount >= 1
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"delete from {table}")


def test_readers_read_tables_that_are_added_later(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(), url)
    with psycopg.connect(url) as connection:
        connection.execute("create table later (n int)")
        connection.execute("set role rfm_reader")
        assert connection.execute("table later").fetchall() == []


def test_every_table_view_and_column_is_explained(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(), url)
    here = "relnamespace = current_schema()::regnamespace and relkind in ('r', 'v')"
    assert query(url, f"select relname from pg_class where {here} and obj_description(oid) is null") == []
    unexplained = query(
        url,
        "select relname, attname from pg_class join pg_attribute on attrelid = pg_class.oid"
        f" where {here} and attnum > 0 and col_description(attrelid, attnum) is null",
    )
    assert unexplained == []


def test_the_view_explains_its_columns_as_the_table_does(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(), url)
    comments = (
        "select attname, col_description(attrelid, attnum) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 order by attnum"
    )
    expected = [(column.name, column.description) for column in CUSTOMER_SEGMENTS.columns]
    assert query(url, comments, "customer_segments_latest") == expected


def test_one_customer_is_found_over_all_dates_by_an_index(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(), url)
    with psycopg.connect(url) as connection:
        connection.execute("set enable_seqscan = off")  # which a table of two rows would get
        plan = connection.execute("explain select * from customer_segments where customer_id = '1'")
        assert "customer_segments_customer_id" in str(plan.fetchall())


def test_a_warehouse_of_an_earlier_version_is_brought_up_to_date_and_keeps_its_snapshots(
    url: str, snapshot: Snapshots
) -> None:
    warehouse.load(snapshot(customers=["before"]), url)
    with psycopg.connect(url) as connection:
        connection.execute("drop index customer_segments_customer_id")
        connection.execute("comment on column customer_segments_latest.segment is null")
        connection.execute("update warehouse_schema set version = 'the one before'")
    warehouse.load(snapshot(DAY + timedelta(days=1), customers=["after"]), url)
    assert customers(url) == ["before"]
    assert query(url, "select to_regclass('customer_segments_customer_id') is not null") == [(True,)]
    described = "select col_description('customer_segments_latest'::regclass, 16)"
    assert query(url, described) == [("See segment_definitions",)]
    assert len(query(url, "table warehouse_schema")) == 1


# -- locks --------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "LOCK_SECONDS", 1)
    monkeypatch.setattr(warehouse, "OUTAGE_SECONDS", 1)


@pytest.mark.parametrize(
    ("held", "schema_changes"),
    [
        ("lock table customer_segments", False),
        ("select from pipeline_runs for update", False),
        ("select from customer_segments_latest", True),
        ("select pg_advisory_lock(hashtext('rfm warehouse schema'))", True),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_lock_that_is_not_free_fails_the_load_and_is_explained(
    url: str, snapshot: Snapshots, held: LiteralString, schema_changes: bool
) -> None:
    warehouse.load(snapshot(customers=["before"]), url)
    if schema_changes:
        with psycopg.connect(url) as connection:
            connection.execute("update warehouse_schema set version = 'the one before'")
    with psycopg.connect(url, application_name="a holder") as holder, psycopg.connect(url) as reader:
        reader.execute("select from segment_summary")
        holder.execute(held)
        pid = holder.info.backend_pid
        with pytest.raises(TransientError) as error:
            warehouse.load(snapshot(customers=["after"]), url)
    assert f"pid {pid} (user test, application 'a holder', on " in str(error.value)
    assert "select pg_terminate_backend(pid)" in str(error.value)
    assert customers(url) == ["before"]


def test_a_load_goes_on_once_a_lock_is_free(
    url: str, snapshot: Snapshots, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(warehouse, "LOCK_SECONDS", 1)
    warehouse.load(snapshot(customers=["before"]), url)
    with psycopg.connect(url) as holder, ThreadPoolExecutor() as pool:
        pid = holder.info.backend_pid
        holder.execute("lock table customer_segments")
        load = pool.submit(warehouse.load, snapshot(customers=["after"]), url)
        while "trying again" not in caplog.text:
            assert not load.done()
            time.sleep(0.05)
        holder.rollback()
        load.result()
    assert f"the warehouse is locked, for 1 s and more, by pid {pid} " in caplog.text
    assert customers(url) == ["after"]


@pytest.mark.usefixtures("impatient")
def test_the_lock_of_the_schema_is_taken_only_where_the_schema_changes(url: str, snapshot: Snapshots) -> None:
    warehouse.load(snapshot(customers=["before"]), url)
    with psycopg.connect(url) as holder:
        holder.execute("select pg_advisory_lock(hashtext('rfm warehouse schema'))")
        warehouse.load(snapshot(customers=["after"]), url)
    assert customers(url) == ["after"]
