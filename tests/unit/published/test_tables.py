"""The published tables: the warehouse and the README describe them as include/published/tables.py does."""

import re

import psycopg
import pyarrow as pa
import pytest

from include.pipeline import PROJECT
from include.published.tables import (
    CLEANED_DATA,
    CUSTOMER_SEGMENTS,
    PUBLISHED_TABLES,
    REJECTS,
    SEGMENT_MOVEMENT,
    SEGMENT_SUMMARY,
    Column,
    Table,
)
from include.published.warehouse import WAREHOUSE_SQL, make_tables

SQL = WAREHOUSE_SQL.read_text(encoding="utf-8")
IN_WAREHOUSE = (CUSTOMER_SEGMENTS, SEGMENT_SUMMARY, SEGMENT_MOVEMENT)
ALL_IN_WAREHOUSE = (*(table.name for table in IN_WAREHOUSE), "segment_definitions", "pipeline_runs")
AS_OF = CUSTOMER_SEGMENTS.columns[0]

by_name = pytest.mark.parametrize("table", IN_WAREHOUSE, ids=lambda table: table.name)


def warehouse_columns(table: Table) -> tuple[Column, ...]:
    """The table's columns in the warehouse, where every table has the as-of date."""
    return table.columns if AS_OF in table.columns else (AS_OF, *table.columns)


# -- tables.py ----------------------------------------------------------------------------------


def test_every_table_and_column_is_described() -> None:
    for table in PUBLISHED_TABLES:
        assert table.description
        assert all(column.description for column in table.columns), table.name


def test_no_table_has_a_column_twice() -> None:
    for table in PUBLISHED_TABLES:
        assert len(set(table.names)) == len(table.names), table.name


def test_a_table_s_arrow_schema_has_its_columns_in_order() -> None:
    schema = CUSTOMER_SEGMENTS.arrow_schema
    assert schema.names == CUSTOMER_SEGMENTS.names
    assert schema.field("monetary").type == pa.decimal128(18, 2)


# -- warehouse.sql as text ----------------------------------------------------------------------


def sql_comments(table: str) -> dict[str, str]:
    """The comments of warehouse.sql on a table's columns, in order."""
    found = re.findall(rf"^comment on column {table}\.(\w+) is '((?:[^']|'')*)';$", SQL, re.MULTILINE)
    return {column: text.replace("''", "'") for column, text in found}


def sql_columns(table: str) -> dict[str, str]:
    """The definitions of a table's columns in warehouse.sql, in order: type and constraints."""
    (body,) = re.findall(
        rf"^create table if not exists {table} \(\n(.*?)^\);$", SQL, re.MULTILINE | re.DOTALL
    )
    lines = [line.strip().removesuffix(",").split(maxsplit=1) for line in body.splitlines()]
    return {
        name: " ".join(rest.split())
        for name, rest in lines
        if name not in ("primary", "check", "foreign", "unique")
    }


def sql_types(column: Column) -> set[str]:
    """The types that hold every value of a column. A score is 1 to 5, so a smallint holds it. A share or an
    average that may be null is a numeric of any size."""
    types: dict[pa.DataType, set[str]] = {
        pa.date32(): {"date"},
        pa.string(): {"text"},
        pa.int32(): {"smallint"} if column.name.endswith("_score") else {"integer"},
        pa.int64(): {"bigint"},
    }
    if pa.types.is_decimal(column.type):
        exact = f"numeric({column.type.precision},{column.type.scale})"
        return {exact, "numeric"} if column.may_be_null else {exact}
    return types[column.type]


@by_name
def test_a_comment_explains_each_column_of_the_warehouse_in_the_words_of_its_description(
    table: Table,
) -> None:
    assert sql_comments(table.name) == {
        column.name: column.description for column in warehouse_columns(table)
    }


@by_name
def test_a_comment_explains_each_table_of_the_warehouse_in_the_words_of_its_description(table: Table) -> None:
    assert f"comment on table {table.name} is '{table.description}';\n" in SQL


@by_name
def test_the_warehouse_has_the_columns_in_order_with_types_that_hold_them(table: Table) -> None:
    found = sql_columns(table.name)
    columns = warehouse_columns(table)
    assert list(found) == [column.name for column in columns]
    for column in columns:
        assert found[column.name].split()[0] in sql_types(column), column.name


@by_name
def test_only_columns_that_may_be_null_are_null_in_the_warehouse(table: Table) -> None:
    nullable = {name for name, definition in sql_columns(table.name).items() if "not null" not in definition}
    assert nullable == {column.name for column in table.columns if column.may_be_null}


@by_name
def test_the_warehouse_checks_the_invariants_of_each_row(table: Table) -> None:
    for invariant in table.invariants:
        assert f"check ({invariant})" in SQL, invariant


@pytest.mark.parametrize("table", ALL_IN_WAREHOUSE)
def test_every_column_of_every_table_of_the_warehouse_is_explained(table: str) -> None:
    assert list(sql_comments(table)) == list(sql_columns(table))


# -- the warehouse itself -----------------------------------------------------------------------


@by_name
def test_a_server_has_the_columns_and_comments_of_each_table(url: str, table: Table) -> None:
    question = (
        "select attname, format_type(atttypid, atttypmod), not attnotnull,"
        " col_description(attrelid, attnum)"
        " from pg_attribute where attrelid = %s::regclass and attnum > 0 order by attnum"
    )
    with psycopg.connect(url) as connection:
        make_tables(connection)
        found = connection.execute(question, [table.name]).fetchall()
    columns = warehouse_columns(table)
    assert [(name, null, text) for name, _, null, text in found] == [
        (column.name, column.may_be_null, column.description) for column in columns
    ]
    for column, (_, sql_type, _, _) in zip(columns, found, strict=True):
        assert sql_type in sql_types(column), column.name


# -- README -------------------------------------------------------------------------------------

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def readme_row(file: str) -> str:
    """What README's table of published files says of a file."""
    (text,) = re.findall(rf"^\| `{re.escape(file)}`[^|]*\|(.*)\|$", README, re.MULTILINE)
    return str(text)


def test_the_readme_lists_the_columns_of_the_segments_in_order() -> None:
    listed = readme_row("rfm_df.csv").split(":", 1)[1]
    assert [name.strip(" `") for name in listed.split(",")] == CUSTOMER_SEGMENTS.names


@pytest.mark.parametrize(
    ("file", "table", "mentioned"),
    [
        ("segment_summary.csv", SEGMENT_SUMMARY, ["customers", "orders", "revenue", "segment"]),
        ("segment_movement.csv", SEGMENT_MOVEMENT, ["customers", "segment"]),
        ("cleaned_data.csv", CLEANED_DATA, ["line_type", "amount"]),
        ("rejects.csv", REJECTS, ["file", "line", "reason", "raw"]),
    ],
)
def test_columns_that_the_readme_mentions_exist(file: str, table: Table, mentioned: list[str]) -> None:
    words = re.findall(r"\w+", readme_row(file))
    assert set(mentioned) <= set(words), "the README has other words now: so has this list"
    assert set(mentioned) <= set(table.names)


@pytest.mark.parametrize("table", PUBLISHED_TABLES, ids=lambda table: table.name)
def test_a_name_with_an_underscore_in_the_readme_is_a_column(table: Table) -> None:
    """Settings, params and folders, which have such names as well, are in backquotes."""
    file = "rfm_df" if table is CUSTOMER_SEGMENTS else table.name
    named = re.findall(r"\b\w+_\w+\b", re.sub(r"`[^`]*`", "", readme_row(f"{file}.csv")))
    assert set(named) <= set(table.names)
