"""A migrated database, reached directly and through a pooler.

Postgres 15 is met behind PgBouncer, 18 without: between them they have every difference that these tests could see, at
the price of two databases a test.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from cinematch_assets.warehouse.connection import connect
from cinematch_assets_tests.support.servers import Postgres, migrated_template, with_database

WAYS = ["pg18", "pg15-pooled"]


@contextmanager
def _reached(request: pytest.FixtureRequest, way: str) -> Iterator[str]:
    server: Postgres = request.getfixturevalue("postgres18" if way == "pg18" else "postgres15")
    with server.database(migrated_template(server)) as made:
        pooler = None if way == "pg18" else request.getfixturevalue("_pooler")
        yield made if pooler is None else with_database(pooler, made.rsplit("/", 1)[1])


@pytest.fixture(params=WAYS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """On Postgres 18, and on 15 behind PgBouncer in transaction mode."""
    with _reached(request, request.param) as made:
        yield made


@pytest.fixture(params=WAYS, scope="module")
def shared_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The same for a whole module, whose tests leave it as it was."""
    with _reached(request, request.param) as made:
        yield made


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection]:
    with connect(url) as opened:
        yield opened


@pytest.fixture
def connection_18(database_url_18: str) -> Iterator[psycopg.Connection]:
    """Where version and pooler cannot matter."""
    with connect(database_url_18) as opened:
        yield opened
