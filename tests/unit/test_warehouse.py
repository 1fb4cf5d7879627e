"""Published folders into a real Postgres: what readers see, before, while and after."""

import csv
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from include.errors import Refused
from include.published import warehouse
from include.published.files import write_small_csv
from include.settings import Params, config_folder, load_config
from include.spark.schemas import CUSTOMER_SEGMENTS, SEGMENT_MOVEMENT, SEGMENT_SUMMARY
from tests.postgres import CUSTOMER_SEGMENTS_ARROW, postgres, postgres_programs

DAY = date(2011, 12, 10)
ODD = ["'); drop table customer_segments; --", 'a "quoted"\n\\.\n\\N,\t', "\\.", "", " ", "NULL", "Zoë 客户"]


@pytest.fixture(scope="module")
def server():
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no Postgres server here: apt-get install postgresql")
    with postgres(programs) as started:
        yield started


@pytest.fixture
def url(server, request):
    """A schema of the test's own."""
    schema = f"test_{abs(hash(request.node.name))}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    return f"{server.url}&options=-csearch_path%3D{schema}"


@pytest.fixture
def snapshot(tmp_path):
    """Make a published folder as publish leaves it."""
    config = load_config(config_folder(), Params()).model_dump(mode="json")
    made = iter(range(1000))

    def folder(as_of=DAY, customers=("1", "2"), listing=1, dag_run="a run", monetary="12.50"):
        place = tmp_path / f"{next(made)}"
        place.mkdir()
        rows = [
            {
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
            for customer in customers
        ]
        pq.write_table(
            pa.Table.from_pylist(rows, CUSTOMER_SEGMENTS_ARROW), place / "customer_segments.parquet"
        )
        n = len(rows)
        tables = {
            "segment_summary": (
                SEGMENT_SUMMARY,
                [
                    ["Champions", n, "1.0000", 2 * n, "25.00", "1.0000", "3.00", "2.00", "12.50", "12.50"],
                    ["Lost", 0, "0.0000", 0, "0.00", "", "", "", "", ""],
                ],
            ),
            "segment_movement": (SEGMENT_MOVEMENT, [["Not yet a customer", "Champions", n]]),
        }
        for name, (columns, lines) in tables.items():
            with (place / f"{name}.csv").open("w", newline="") as stream:
                csv.writer(stream).writerows([columns, *lines])
        stage = {
            "rejects": {},
            "seconds": 1.5,
            "started": "2011-12-10T02:00:00+00:00",
            "application_id": "app-1",
        }
        counts = {"ingest": (9, 9), "clean": (9, 8), "rfm": (8, 8), "segment": (n, n), "publish": (n, n)}
        record = {
            "as_of": as_of.isoformat(),
            "variant": None,
            "dag_run": dag_run,
            "published_at": "2011-12-10T02:05:00+00:00",
            "listing": listing,
            "config_hash": "0123456789ab",
            "config": config,
            "stages": {t: stage | {"rows_in": i, "rows_out": o} for t, (i, o) in counts.items()},
        }
        (place / "run.json").write_text(json.dumps(record))
        return place

    return folder


def query(url, text, *values):
    with psycopg.connect(url) as connection:
        return connection.execute(text, values).fetchall()


def customers(url, as_of=DAY):
    found = query(url, "select customer_id from customer_segments where as_of = %s order by 1", as_of)
    return [row[0] for row in found]


def test_every_value_arrives_as_it_is_in_the_files(url, snapshot):
    folder = snapshot(customers=["1", *ODD], monetary="-1234567890123456.78")
    warehouse.load(folder, url)
    wanted = pq.read_table(folder / "customer_segments.parquet").to_pylist()
    found = query(url, f"select {', '.join(CUSTOMER_SEGMENTS)} from customer_segments")
    by_id = {row[1]: dict(zip(CUSTOMER_SEGMENTS, row, strict=True)) for row in found}
    assert by_id == {row["customer_id"]: row for row in wanted}
    assert by_id[""]["country"] == ""
    assert by_id["1"]["country"] is None


def test_summary_movement_definitions_and_run_come_along(url, snapshot):
    warehouse.load(snapshot(dag_run="manual__1"), url)
    summary = "select segment, customers, revenue, revenue_share, median_monetary from segment_summary"
    assert query(url, f"{summary} order by customers desc") == [
        ("Champions", 2, Decimal("25.00"), Decimal("1.0000"), Decimal("12.50")),
        ("Lost", 0, Decimal("0.00"), None, None),
    ]
    assert query(url, "table segment_movement") == [(DAY, "Not yet a customer", "Champions", 2)]
    definitions = query(
        url, "select rank, segment, description, codes from segment_definitions order by rank"
    )
    assert len(definitions) == 11
    assert definitions[0][:2] == (1, "Champions")
    assert isinstance(definitions[0][3], list)
    assert query(
        url,
        "select as_of, dag_run, lines_landed, lines_kept, customers,"
        " stages -> 'publish' ->> 'application_id' from pipeline_runs",
    ) == [(DAY, "manual__1", 9, 8, 2, "app-1")]


def test_a_segment_whose_name_looks_like_a_formula_is_loaded_by_its_name(url, snapshot):
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


def test_running_a_date_again_replaces_that_date_and_no_other(url, snapshot):
    other = DAY + timedelta(days=1)
    warehouse.load(snapshot(customers=["1", "2"]), url)
    warehouse.load(snapshot(other, customers=["1", "2", "3"]), url)
    warehouse.load(snapshot(customers=["2", "9"], dag_run="again"), url)
    assert customers(url) == ["2", "9"]
    assert customers(url, other) == ["1", "2", "3"]
    assert query(url, "select dag_run from pipeline_runs order by as_of") == [("again",), ("a run",)]


def test_an_older_date_never_becomes_latest(url, snapshot):
    warehouse.load(snapshot(customers=["new"]), url)
    warehouse.load(snapshot(DAY - timedelta(days=30), customers=["old"]), url)
    assert query(url, "select customer_id, as_of from customer_segments_latest") == [("new", DAY)]


def test_what_was_made_from_an_older_listing_never_replaces_a_newer_one(url, snapshot):
    warehouse.load(snapshot(customers=["new"], listing=7), url)
    warehouse.load(snapshot(customers=["old"], listing=6), url)
    assert customers(url) == ["new"]
    warehouse.load(snapshot(customers=["same"], listing=7), url)
    assert customers(url) == ["same"]


def test_readers_see_the_snapshot_before_until_the_whole_new_one_is_there(url, snapshot, monkeypatch):
    warehouse.load(snapshot(customers=["before"]), url)
    half_way, read = threading.Event(), threading.Event()
    whole = warehouse.csv_batches

    def paused(file):
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


def test_a_load_does_not_wait_for_a_reader(url, snapshot):
    warehouse.load(snapshot(customers=["before"]), url)
    with psycopg.connect(url) as reader:
        reader.execute("select * from customer_segments_latest")  # and its transaction goes on
        warehouse.load(snapshot(customers=["after"]), url)
    assert customers(url) == ["after"]


def test_a_load_that_fails_half_way_leaves_the_snapshot_before(url, snapshot, monkeypatch):
    warehouse.load(snapshot(customers=["before"]), url)
    folder = snapshot(customers=["twice", "twice"])
    with pytest.raises(psycopg.errors.UniqueViolation):
        warehouse.load(folder, url)
    assert customers(url) == ["before"]


def test_a_snapshot_that_is_not_what_its_record_says_is_refused(url, snapshot):
    folder = snapshot()
    shutil.copy(snapshot(customers=["1"]) / "customer_segments.parquet", folder)
    with pytest.raises(Refused, match="does not count the 1 customers"):
        warehouse.load(folder, url)
    assert customers(url) == []


def test_loads_at_the_same_time_end_as_if_one_after_the_other(url, snapshot):
    days = [DAY - timedelta(days=n) for n in range(4)]
    folders = [snapshot(day, [f"{n}"], listing=n) for day in days for n in range(1, 4)]
    with ThreadPoolExecutor(len(folders)) as pool:
        list(pool.map(lambda folder: warehouse.load(folder, url), folders))
    assert [customers(url, day) for day in days] == [["3"]] * 4
    assert query(url, "select listing from pipeline_runs") == [(3,)] * 4


def test_a_server_that_goes_away_half_way_is_waited_for(server, url, snapshot, monkeypatch):
    warehouse.load(snapshot(customers=["before"]), url)
    whole, tries = warehouse.csv_batches, []

    def interrupted(file):
        tries.append(file)
        yield from whole(file)
        if len(tries) == 1:
            server.stop()
            threading.Thread(target=lambda: (time.sleep(2), server.start())).start()

    monkeypatch.setattr(warehouse, "csv_batches", interrupted)
    warehouse.load(snapshot(customers=["after"]), url)
    assert len(tries) == 2
    assert customers(url) == ["after"]


def test_a_server_that_stays_away_fails_the_task(snapshot, monkeypatch, tmp_path):
    monkeypatch.setattr(warehouse, "OUTAGE_SECONDS", 1)
    with pytest.raises(psycopg.OperationalError):
        warehouse.load(snapshot(), f"postgresql://test@/postgres?host={tmp_path}")


def test_the_role_for_readers_reads_everything_and_changes_nothing(url, snapshot):
    warehouse.load(snapshot(), url)
    tables = ["customer_segments", "customer_segments_latest", "segment_summary", "segment_movement",
              "segment_definitions", "pipeline_runs"]  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set role rfm_reader")
        for table in tables:
            assert connection.execute(f"select count(*) from {table}").fetchone()[0] >= 1
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"delete from {table}")


def test_every_table_is_explained(url, snapshot):
    warehouse.load(snapshot(), url)
    unexplained = query(
        url,
        "select relname from pg_class where relnamespace = current_schema()::regnamespace"
        " and relkind in ('r', 'v') and relname <> 'warehouse_schema' and obj_description(oid) is null",
    )
    assert unexplained == []
