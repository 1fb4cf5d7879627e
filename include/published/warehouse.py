"""The warehouse: published snapshots as tables of a Postgres database (warehouse.sql beside this file).

A snapshot is loaded in one transaction that replaces its date and touches no other date, so readers see
the snapshot before or this one, whole. As in the lake, a snapshot that was made from an earlier state of
the landing folder never replaces one from a later state. Variants are not loaded.
"""

import csv
import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from psycopg import sql
from psycopg.types.json import Jsonb
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from include.errors import OutdatedError, TransientError
from include.lake.record import RunRecord, read_run_record
from include.published.files import original_value
from include.published.tables import CUSTOMER_SEGMENTS, SEGMENT_MOVEMENT, SEGMENT_SUMMARY, Table

log = logging.getLogger("rfm")

WAREHOUSE_SQL = Path(__file__).with_name("warehouse.sql")
ROWS_PER_BATCH = 32 * 1024  # some MB of text
OUTAGE_SECONDS = 120  # after which the task fails, and Airflow tries it again
LOCK_SECONDS = 10  # of waiting for a lock; readers of a view that is to change wait behind
# Detects a server that vanished without closing the connection.
TIMEOUTS = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "tcp_user_timeout": 60000,
}
# What pipeline_runs.stages has of each stage.
STAGE_KEYS = {"rows_in", "rows_out", "rejects", "seconds", "started", "application_id"}

LOCK_HOLDERS = """
  select pid, usename, application_name, array_agg(distinct coalesce(relname, 'the schema'))
  from pg_locks join pg_stat_activity using (pid) left join pg_class on pg_class.oid = relation
  where granted and pid <> pg_backend_pid()
    and database = (select oid from pg_database where datname = current_database())
    and (locktype = 'advisory' or relkind in ('r', 'v')
      and relnamespace = quote_ident(current_schema())::regnamespace)
    and (%(readers)s or mode <> 'AccessShareLock')
  group by pid, usename, application_name order by pid
"""


def load(folder: Path, url: str) -> None:
    """Make a published folder the warehouse's snapshot of its date. Tries again for OUTAGE_SECONDS."""
    tries = Retrying(
        retry=retry_if_exception_type((psycopg.OperationalError, TransientError)),
        stop=stop_after_delay(OUTAGE_SECONDS),
        wait=wait_exponential(min=1, max=10),
        before_sleep=log_retry,
        reraise=True,
    )
    for attempt in tries:
        with attempt, connect(url) as connection:
            with lock_holders_named(connection, readers=True):
                make_tables(connection)
            with (
                lock_holders_named(connection, readers=False),
                connection.transaction(),
                connection.cursor() as cursor,
            ):
                load_snapshot(cursor, folder)


def log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    reason = str(error).strip().split("\n")[0]
    if not isinstance(error, TransientError):
        reason = f"the warehouse cannot be reached: {reason}"
    log.warning("%s; trying again", reason)


def connect(url: str) -> psycopg.Connection:
    connection = psycopg.connect(url, autocommit=True, application_name="rfm publish", **TIMEOUTS)  # type: ignore[arg-type]
    connection.execute("select set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS}s"])
    return connection


@contextmanager
def lock_holders_named(connection: psycopg.Connection, *, readers: bool) -> Iterator[None]:
    """Say which sessions use the tables when a lock did not become free. Only a change of the tables waits
    for readers."""
    try:
        yield
    except psycopg.errors.LockNotAvailable as error:
        found = connection.execute(LOCK_HOLDERS, {"readers": readers}).fetchall()
        sessions = [
            f"pid {pid} (user {user}, application {application!r}, on {', '.join(names)})"
            for pid, user, application, names in found
        ]
        raise TransientError(
            f"the warehouse is locked, for {LOCK_SECONDS} s and more, by "
            f"{' and '.join(sessions) or 'a session that has ended by now'}. "
            "What does not end by itself ends with: select pg_terminate_backend(pid), as the superuser"
        ) from error


def make_tables(connection: psycopg.Connection) -> None:
    """Run warehouse.sql unless this version of it has been run: redefining a view would wait for its
    readers. Under a lock, because two runs may be the first ones."""
    text = WAREHOUSE_SQL.read_text()
    version = hashlib.sha256(text.encode()).hexdigest()
    if made_version(connection) == version:
        return
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('rfm warehouse schema'))")
        if made_version(connection) != version:
            cursor.execute("create table if not exists warehouse_schema (version text primary key)")
            cursor.execute(text)
            cursor.execute("delete from warehouse_schema")
            cursor.execute("insert into warehouse_schema values (%s)", [version])


def made_version(connection: psycopg.Connection) -> str | None:
    """The version of warehouse.sql that made the tables. None without tables."""
    table = "select to_regclass(quote_ident(current_schema()) || '.warehouse_schema') is not null"
    if connection.execute(table).fetchone() == (False,):
        return None
    row = connection.execute("select version from warehouse_schema").fetchone()
    return str(row[0]) if row else None


def load_snapshot(cursor: psycopg.Cursor, folder: Path) -> None:
    record = read_run_record(folder)
    as_of = record.as_of
    if not replace_run(cursor, record):
        log.warning(
            "the warehouse kept its snapshot of %s: it is from a newer state of the landing folder", as_of
        )
        return
    for table in ("customer_segments", "segment_summary", "segment_movement", "segment_definitions"):
        cursor.execute(sql.SQL("delete from {} where as_of = %s").format(sql.Identifier(table)), [as_of])
    segments = record.config.segment_map.segments
    cursor.executemany(
        "insert into segment_definitions (as_of, rank, segment, description, codes)"
        " values (%s, %s, %s, %s, %s)",
        [(as_of, rank, s.name, s.description, s.codes) for rank, s in enumerate(segments, 1)],
    )
    for small in (SEGMENT_SUMMARY, SEGMENT_MOVEMENT):
        insert_csv(cursor, small, as_of, folder)
    rows = copy_customers(cursor, folder / "customer_segments.parquet")
    if rows != record.stages["publish"].rows_out:
        raise OutdatedError(
            f"{folder}: its run.json does not count the {rows:,} customers", clear_from="publish"
        )
    log.info("%s customers are in the warehouse", f"{rows:,}")


def replace_run(cursor: psycopg.Cursor, record: RunRecord) -> bool:
    """Write the date's row of pipeline_runs, unless the present one is from a later state of the landing
    folder. The row stays locked to the end of the transaction, so loads of one date take turns."""
    stages = record.stages
    row = {
        "as_of": record.as_of,
        "dag_run": record.dag_run,
        "published_at": record.published_at,
        "listing": record.landing_version,
        "lines_landed": stages["ingest"].rows_in,
        "lines_kept": stages["clean"].rows_out,
        "customers": stages["publish"].rows_out,
        "stages": Jsonb({task: stage.model_dump(include=STAGE_KEYS) for task, stage in stages.items()}),
        "config_hash": record.config_hash,
        "config": Jsonb(record.config.model_dump(mode="json")),
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


def insert_csv(cursor: psycopg.Cursor, table: Table, as_of: date, folder: Path) -> None:
    """Insert the few rows of a published CSV file."""
    columns = table.names
    insert = sql.SQL("insert into {} (as_of, {}) values (%s, {})").format(
        sql.Identifier(table.name),
        identifiers(columns),
        sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
    )
    with (folder / f"{table.name}.csv").open(newline="", encoding="utf-8") as stream:
        rows = [
            [as_of, *(original_value(row[name]) or None for name in columns)]
            for row in csv.DictReader(stream)
        ]
    cursor.executemany(insert, rows)


def copy_customers(cursor: psycopg.Cursor, file: Path) -> int:
    """COPY the rows of the Parquet file, with one batch at a time in memory. Returns their number."""
    into = sql.SQL("copy customer_segments ({}) from stdin (format csv)").format(
        identifiers(CUSTOMER_SEGMENTS.names)
    )
    with cursor.copy(into) as copy:
        for text in csv_batches(file):
            copy.write(text)
    return cursor.rowcount


def csv_batches(file: Path) -> Iterator[memoryview]:
    # As text, which Postgres parses and checks itself. All values are quoted, so empty text is not null.
    options = pa.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    with pq.ParquetFile(file) as source:
        for batch in source.iter_batches(ROWS_PER_BATCH, columns=CUSTOMER_SEGMENTS.names):
            text = pa.BufferOutputStream()
            pa.csv.write_csv(batch, text, options)
            yield memoryview(text.getvalue())


def identifiers(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
