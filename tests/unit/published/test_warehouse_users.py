"""The users of the warehouse in Docker Compose: `analyst` reads the tables, and can write nothing."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import LiteralString

import psycopg
import pytest

from include.published.warehouse import WAREHOUSE_SQL, make_tables
from tests.postgres import Server

USERS_SQL = WAREHOUSE_SQL.with_name("warehouse_users.sql")
TABLES: tuple[LiteralString, ...] = (
    "pipeline_runs",
    "segment_definitions",
    "customer_segments",
    "customer_segments_latest",
    "segment_summary",
    "segment_movement",
)
# What changes, makes, locks, or reaches files. The rights refuse each, whatever the session has set.
WRITES: tuple[LiteralString, ...] = (
    # rows
    "insert into segment_movement values (now(), 'a', 'b', 1)",
    "update customer_segments set segment = 'x'",
    "delete from customer_segments",
    "delete from customer_segments_latest",
    "truncate customer_segments",
    "merge into segment_movement m using segment_summary s on m.as_of = s.as_of when matched then delete",
    "with gone as (delete from customer_segments returning 1) table gone",
    "copy segment_movement from stdin",
    "do $$ begin delete from customer_segments; end $$",
    "explain analyze delete from customer_segments",
    # locks
    "select from customer_segments for update",
    "select from customer_segments for key share",
    "do $$ begin lock table customer_segments in row share mode; end $$",
    "do $$ begin lock table customer_segments in access exclusive mode; end $$",
    "select pg_advisory_lock(1)",
    "select pg_advisory_xact_lock_shared(hashtext('rfm warehouse schema'))",
    "select pg_try_advisory_lock(1)",
    # new objects
    "create table t (n int)",
    "create table public.t as select 1",
    "select * into t from customer_segments",
    "create temp table t (n int)",
    "create temp table t as table customer_segments",
    "select * into temp t from customer_segments",
    "create temp view v as select 1",
    "create temp sequence s",
    "create table pg_temp.t (n int)",
    "create unlogged table t (n int)",
    "create view v as select 1",
    "create materialized view v as select 1",
    "create sequence s",
    "create index on customer_segments (segment)",
    "create statistics s on country, segment from customer_segments",
    "create function f() returns int language sql as 'select 1'",
    "create function pg_temp.f() returns int language sql as 'select 1'",
    "create procedure p() language sql as 'select 1'",
    "create type t as (n int)",
    "create domain d as int",
    "create schema s",
    "create schema authorization analyst",
    'create collation c from "C"',
    "create text search configuration c (copy = english)",
    "create extension pg_trgm",
    "create language l handler plpgsql_call_handler",
    "create foreign data wrapper w",
    "create publication p",
    "create event trigger e on ddl_command_start execute function f()",
    "create rule r as on insert to customer_segments do instead nothing",
    "create policy p on customer_segments",
    "create database d",
    "create role r",
    "create tablespace t location '/tmp'",
    # what is there
    "alter table customer_segments add column n int",
    "alter table customer_segments rename to t",
    "alter view customer_segments_latest owner to analyst",
    "drop table customer_segments",
    "drop view customer_segments_latest",
    "drop schema public cascade",
    "drop database postgres",
    "comment on table customer_segments is 'x'",
    "grant rfm_reader to loader",
    "alter role loader password 'x'",
    "alter role rfm_reader login",
    "alter role analyst createdb",
    "alter database warehouse set search_path = ''",
    "alter system set work_mem = '1GB'",
    "alter default privileges for role loader grant all on tables to analyst",
    "reindex table customer_segments",
    "cluster customer_segments using customer_segments_pkey",
    "checkpoint",
    "set role loader",
    "set session authorization loader",
    "set temp_file_limit = -1",
    # large objects
    "select lo_create(0)",
    "select lo_creat(-1)",
    "select lo_from_bytea(0, 'x')",
    "select lo_put(1, 0, 'x')",
    "select lo_open(1, 131072)",
    "select lowrite(0, 'x')",
    "select lo_truncate(0, 0)",
    "select lo_unlink(1)",
    "select lo_import('/etc/hostname')",
    "select lo_export(1, '/tmp/x')",
    # files and the write-ahead log
    "copy customer_segments to '/tmp/x'",
    "copy customer_segments to program 'cat'",
    "copy segment_movement from '/etc/hostname'",
    "select pg_read_file('/etc/hostname')",
    "select pg_read_binary_file('/etc/hostname')",
    "select pg_stat_file('/etc/hostname')",
    "select pg_ls_dir('.')",
    "select pg_ls_waldir()",
    "select pg_export_snapshot()",
    "select pg_logical_emit_message(false, 'a', 'b')",
    "select pg_create_physical_replication_slot('s')",
    "select pg_switch_wal()",
    "select pg_create_restore_point('p')",
    "select pg_reload_conf()",
    "select pg_stat_reset()",
)
# These Postgres lets every user do to itself, or answers with a warning. They are refused because
# transactions are read-only.
TO_ITSELF: tuple[LiteralString, ...] = (
    "alter role analyst password 'x'",
    "alter role analyst set default_transaction_read_only = off",
    "drop owned by rfm_reader",
    "alter default privileges grant select on tables to public",
    "grant select on customer_segments to public",
)


@dataclass(frozen=True)
class Warehouse:
    server: Server

    def connect(self, user: str, database: str = "warehouse") -> psycopg.Connection:
        address = f"postgresql://{user}@/{database}?host={self.server.folder}"
        return psycopg.connect(address, autocommit=True)

    def make_users(self) -> None:
        """Run the file as Docker's image and `make up` do."""
        psql = [str(shutil.which("psql", path=self.server.programs)), "-qX", "-v", "ON_ERROR_STOP=1"]
        passwords = {"WAREHOUSE_LOADER_PASSWORD": "of loader", "WAREHOUSE_ANALYST_PASSWORD": "of analyst"}
        done = subprocess.run(
            [*psql, "-h", str(self.server.folder), "-U", "test", "-d", "warehouse"],
            stdin=USERS_SQL.open(),
            env=os.environ | passwords,
            text=True,
            capture_output=True,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def warehouse(server: Server) -> Warehouse:
    made = Warehouse(server)
    with made.connect("test", "postgres") as connection:
        connection.execute("create database warehouse")
    made.make_users()
    return made


@pytest.fixture(scope="module")
def published(warehouse: Warehouse) -> Warehouse:
    with warehouse.connect("loader") as connection:
        make_tables(connection)
    return warehouse


def test_the_reader_has_its_rights_before_the_first_publish(warehouse: Warehouse) -> None:
    with warehouse.connect("loader") as loader, warehouse.connect("analyst") as analyst:
        assert loader.execute("select to_regclass('pipeline_runs')").fetchone() == (None,)
        loader.execute("create table early (n int)")
        assert analyst.execute("table early").fetchall() == []
        loader.execute("drop table early")


def test_analyst_reads_every_table(published: Warehouse) -> None:
    with published.connect("analyst") as analyst:
        for table in TABLES:
            assert analyst.execute(f"table {table}").fetchall() == []


@pytest.mark.parametrize("owner", ["loader", "test"])
def test_analyst_reads_tables_that_are_added_later(published: Warehouse, owner: str) -> None:
    with published.connect(owner) as connection, published.connect("analyst") as analyst:
        connection.execute("create table later (n int)")
        assert analyst.execute("table later").fetchall() == []
        connection.execute("drop table later")


@pytest.mark.parametrize("statement", WRITES)
def test_analyst_can_only_read(published: Warehouse, statement: LiteralString) -> None:
    with published.connect("analyst") as analyst:
        analyst.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute(statement)
    with published.connect("analyst") as analyst:
        refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
        with pytest.raises(refused):
            analyst.execute(statement)


@pytest.mark.parametrize("statement", TO_ITSELF)
def test_analyst_s_transactions_are_read_only_by_default(
    published: Warehouse, statement: LiteralString
) -> None:
    with published.connect("analyst") as analyst, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        analyst.execute(statement)


@pytest.mark.parametrize("database", ["postgres", "template1"])
@pytest.mark.parametrize("user", ["analyst", "loader"])
def test_the_users_cannot_connect_to_another_database(warehouse: Warehouse, user: str, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=f'permission denied for database "{database}"'):
        warehouse.connect(user, database)


def test_a_query_of_analyst_has_limits(warehouse: Warehouse) -> None:
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "temp_file_limit")
    with warehouse.connect("analyst") as analyst:
        found = [analyst.execute("select current_setting(%s)", [name]).fetchone() for name in names]
    assert found == [("15min",), ("10min",), ("2GB",)]


def test_users_of_an_earlier_version_or_changed_by_hand_are_put_right_again(published: Warehouse) -> None:
    with published.connect("test") as superuser:
        superuser.execute("alter role analyst reset all")
        superuser.execute("alter role analyst in database warehouse set statement_timeout = 0")
        superuser.execute("alter role analyst set work_mem = '1GB'")
        superuser.execute("grant connect on database postgres to public")
        superuser.execute("grant execute on function lo_create(oid) to public")
        superuser.execute("revoke usage on schema public from rfm_reader")
    published.make_users()
    published.make_users()
    test_the_users_cannot_connect_to_another_database(published, "analyst", "postgres")
    test_a_query_of_analyst_has_limits(published)
    test_analyst_reads_every_table(published)
    test_analyst_can_only_read(published, "select lo_create(0)")
    with published.connect("analyst") as analyst:
        assert analyst.execute("show work_mem").fetchone() == ("4MB",)
