"""A Postgres server for the tests of the warehouse, and a schema for each of them."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests.postgres import Server, postgres, postgres_programs


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no Postgres server here: apt-get install postgresql")
    with postgres(programs) as started:
        yield started


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """The address of a schema of the test's own."""
    schema = f"test_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    return f"{server.url}&options=-csearch_path%3D{schema}"
