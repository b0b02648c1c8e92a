"""The database of these tests, as in tests/billing: one server a session, one fresh database a test."""

from collections.abc import Iterator

import pytest

from tests.postgres import PostgresServer, server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with server() as running:
        yield running


@pytest.fixture
def dsn(postgres: PostgresServer) -> Iterator[str]:
    fresh = postgres.new_database()
    yield fresh
    postgres.drop_database(fresh)
