"""The warehouse: published snapshots as tables of a Postgres database (include/published/warehouse.sql).

A snapshot is loaded in one transaction that replaces what its date held and touches no other date:
readers see the one before or this one, whole. As in the lake, what was made from an older listing
never replaces what was made from a newer one. Variants are not loaded.
"""

import csv
import hashlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from psycopg import sql
from psycopg.types.json import Jsonb
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from include.errors import Refused
from include.lake.commit import read_record
from include.published.files import FORMULA
from include.spark.schemas import CUSTOMER_SEGMENTS, SEGMENT_MOVEMENT, SEGMENT_SUMMARY

log = logging.getLogger("rfm")

URL = "RFM_WAREHOUSE"  # in the environment of publish: where to load to
SCHEMA = Path(__file__).parent / "warehouse.sql"
ROWS_PER_BATCH = 32 * 1024  # some MB of text
OUTAGE_SECONDS = 120  # tried again for so long here, then the task is tried again
# A server that is gone without a word is noticed, too.
TIMEOUTS = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "tcp_user_timeout": 60000,
}

STAGE = ["rows_in", "rows_out", "rejects", "seconds", "started", "application_id"]


def load(folder: Path, url: str) -> None:
    """Make a published folder the warehouse's snapshot of its date."""
    tries = Retrying(
        retry=retry_if_exception_type(psycopg.OperationalError),
        stop=stop_after_delay(OUTAGE_SECONDS),
        wait=wait_exponential(min=1, max=10),
        before_sleep=say_why,
        reraise=True,
    )
    for attempt in tries:
        with attempt, psycopg.connect(url, application_name="rfm publish", **TIMEOUTS) as connection:  # type: ignore[arg-type]
            make_tables(connection)
            with connection.transaction(), connection.cursor() as cursor:
                load_snapshot(cursor, folder)


def say_why(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning(
        "publish  the warehouse cannot be reached, trying again: %s", str(error).strip().split("\n")[0]
    )


def make_tables(connection: psycopg.Connection) -> None:
    """Run the schema's file unless this version of it has been run: redefining a view would wait
    for its readers. A lock, because two runs may be the first ones."""
    text = SCHEMA.read_text()
    version = hashlib.sha256(text.encode()).hexdigest()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('rfm warehouse schema'))")
        cursor.execute("create table if not exists warehouse_schema (version text primary key)")
        cursor.execute("select version from warehouse_schema where version = %s", [version])
        if not cursor.fetchone():
            cursor.execute(text)
            cursor.execute("delete from warehouse_schema")
            cursor.execute("insert into warehouse_schema values (%s)", [version])


def load_snapshot(cursor: psycopg.Cursor, folder: Path) -> None:
    record = read_record(folder)
    as_of = record["as_of"]
    if not replace_run(cursor, record):
        log.warning("publish  the warehouse already holds a run over a later listing of %s; it stays", as_of)
        return
    for table in ("customer_segments", "segment_summary", "segment_movement", "segment_definitions"):
        cursor.execute(sql.SQL("delete from {} where as_of = %s").format(sql.Identifier(table)), [as_of])
    segments = record["config"]["segment_map"]["segments"]
    cursor.executemany(
        "insert into segment_definitions (as_of, rank, segment, description, codes)"
        " values (%s, %s, %s, %s, %s)",
        [(as_of, rank, s["name"], s["description"], s["codes"]) for rank, s in enumerate(segments, 1)],
    )
    insert_csv(cursor, "segment_summary", SEGMENT_SUMMARY, as_of, folder)
    insert_csv(cursor, "segment_movement", SEGMENT_MOVEMENT, as_of, folder)
    rows = copy_customers(cursor, folder / "customer_segments.parquet")
    if rows != record["stages"]["publish"]["rows_out"]:
        raise Refused(f"{folder}: its run.json does not count the {rows:,} customers in it; clear publish")
    log.info("publish  %s customers are in the warehouse", f"{rows:,}")


def replace_run(cursor: psycopg.Cursor, record: dict[str, Any]) -> bool:
    """The date's row of pipeline_runs, unless a later listing's is there. The row stays locked to the
    end of the transaction, so loads of one date come one after the other."""
    stages = record["stages"]
    row = {
        "as_of": record["as_of"],
        "dag_run": record["dag_run"],
        "published_at": record["published_at"],
        "listing": record["listing"],
        "lines_landed": stages["ingest"]["rows_in"],
        "lines_kept": stages["clean"]["rows_out"],
        "customers": stages["publish"]["rows_out"],
        "stages": Jsonb({task: {key: stage[key] for key in STAGE} for task, stage in stages.items()}),
        "config_hash": record["config_hash"],
        "config": Jsonb(record["config"]),
    }
    insert = sql.SQL(
        "insert into pipeline_runs ({names}) values ({values}) on conflict (as_of)"
        " do update set ({names}, loaded_at) = ({fresh}, now())"
        " where pipeline_runs.listing <= excluded.listing returning as_of"
    ).format(
        names=identifiers(row),
        values=sql.SQL(", ").join(map(sql.Placeholder, row)),
        fresh=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in row),
    )
    return cursor.execute(insert, row).fetchone() is not None


def insert_csv(cursor: psycopg.Cursor, table: str, columns: list[str], as_of: str, folder: Path) -> None:
    """The few rows of a published CSV file."""
    insert = sql.SQL("insert into {} (as_of, {}) values (%s, {})").format(
        sql.Identifier(table), identifiers(columns), sql.SQL(", ").join([sql.Placeholder()] * len(columns))
    )
    with (folder / f"{table}.csv").open(newline="", encoding="utf-8") as stream:
        rows = [[as_of, *(plain(row[name]) for name in columns)] for row in csv.DictReader(stream)]
    cursor.executemany(insert, rows)


def plain(text: str) -> str | None:
    """A published value without the apostrophe that keeps spreadsheets from running it."""
    harmful = text.removeprefix("'")
    return (harmful if re.match(FORMULA, harmful) else text) or None


def copy_customers(cursor: psycopg.Cursor, file: Path) -> int:
    """COPY the parquet file's rows, a batch at a time in memory; returns their number."""
    into = sql.SQL("copy customer_segments ({}) from stdin (format csv)").format(
        identifiers(CUSTOMER_SEGMENTS)
    )
    with cursor.copy(into) as copy:
        for text in csv_batches(file):
            copy.write(text)
    return cursor.rowcount


def csv_batches(file: Path) -> Iterator[memoryview]:
    # As text, which Postgres parses and checks itself. All values are quoted, so an empty text is not null.
    options = pa.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    with pq.ParquetFile(file) as source:
        for batch in source.iter_batches(ROWS_PER_BATCH, columns=CUSTOMER_SEGMENTS):
            text = pa.BufferOutputStream()
            pa.csv.write_csv(batch, text, options)
            yield memoryview(text.getvalue())


def identifiers(names: Any) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
