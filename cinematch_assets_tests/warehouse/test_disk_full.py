"""A disk that fills up in the middle of a load: a message, and the tables as before."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cinematch_assets.warehouse.connection import WarehouseUnavailableError, connect
from cinematch_assets.warehouse.table_sizes import vacuum
from cinematch_assets_tests.support import servers
from cinematch_assets_tests.support.servers import Postgres
from cinematch_assets_tests.support.warehouse_rows import list_indexes, load_file, make_random_ratings, read_rows

SIZE_MB = 24


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk in memory, of a size that 300,000 ratings do not fit on."""
    with servers.short_folder() as folder:
        if os.geteuid() != 0:
            pytest.skip("a disk in memory: only root can mount one")
        order = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", folder]
        mounted = subprocess.run(order, capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            pytest.skip(f"a disk in memory: {mounted.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.faults("full-disk")
def test_a_full_disk_is_one_sentence_and_changes_nothing(
    small_disk: Path, postgres: Postgres, database_url: str
) -> None:
    place = small_disk / "space"
    place.mkdir()
    owner = "pgserver" if postgres.version == 18 else "postgres"
    subprocess.run(["chown", "-R", owner, small_disk], check=True)
    space, database = f"small_{os.getpid()}", psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(f"CREATE TABLESPACE {space} LOCATION '{place}'".encode())
        try:
            admin.execute(f"ALTER DATABASE {database} SET TABLESPACE {space}".encode())
            fill_up(database_url, small_disk / "ballast")
        finally:
            admin.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())
            admin.execute(f"CREATE DATABASE {database}".encode())  # the fixture drops it
            admin.execute(f"DROP TABLESPACE {space}".encode())


def fill_up(url: str, ballast: Path) -> None:
    former = make_random_ratings(2_000, seed=1)
    ballast.write_bytes(bytes(2 * 2**20))
    with connect(url) as connection:
        load_file(connection, former, "a")
        rows, before = read_rows(connection, "ratings"), list_indexes(connection)
    with pytest.raises(WarehouseUnavailableError, match=r"the server's disk is full\); nothing was changed") as full:
        load_too_much(url)
    assert "\n" not in str(full.value)
    with connect(url) as connection:
        assert read_rows(connection, "ratings") == rows
        assert list_indexes(connection) == before
        ballast.unlink()  # a person frees some space, and the weekly maintenance gives back what the load had written
        vacuum(connection)
        load_file(connection, make_random_ratings(2_500, seed=2), "c")
        assert len(read_rows(connection, "ratings")) == 2_500


def load_too_much(url: str) -> None:
    with connect(url) as connection:
        load_file(connection, make_random_ratings(300_000, seed=3, users=5_000), "b")
