from pathlib import Path

import psycopg
import pytest
from yoyo import get_backend, read_migrations

from cinematch_assets.warehouse.migrations import FOLDER, list_pending_migrations, migrate, rollback
from cinematch_assets.warehouse.readonly_query import ask
from cinematch_assets.warehouse.warehouse import SchemaBehindError, open_warehouse
from cinematch_assets_tests.support import warehouse_jobs, warehouse_rows, workers
from cinematch_assets_tests.support.catalogue import catalogue
from cinematch_assets_tests.support.servers import Postgres, with_database

ALL = tuple(sorted(path.stem for path in FOLDER.glob("*.sql") if not path.stem.endswith(".rollback")))
SCHEMAS = ("public", "netflix", "ops")


def schema(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        there = {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace").fetchall()}
    return {f"{s}: {name}": what for s in SCHEMAS if s in there for name, what in catalogue(url, s).items()}


def test_each_migration_has_a_rollback_file() -> None:
    assert len(ALL) >= 5
    assert [name for name in ALL if not (FOLDER / f"{name}.rollback.sql").exists()] == []


def test_four_processes_that_start_together_migrate_once(empty_database_url: str) -> None:
    processes = [workers.start(warehouse_jobs.run_migrations, empty_database_url) for _ in range(4)]
    assert workers.finish(*processes) == [0, 0, 0, 0]
    with psycopg.connect(empty_database_url) as connection:
        log = "SELECT migration_id FROM _yoyo_log WHERE operation = 'apply' ORDER BY migration_id"
        assert tuple(name for (name,) in connection.execute(log).fetchall()) == ALL
    assert list_pending_migrations(empty_database_url) == ()


def test_twice_is_fine_and_says_what_it_did(empty_database_url: str) -> None:
    assert list_pending_migrations(empty_database_url) == ALL
    assert migrate(empty_database_url).applied == ALL
    before = schema(empty_database_url)
    assert migrate(empty_database_url).applied == ()
    assert schema(empty_database_url) == before


def test_a_killed_migration_leaves_nothing_and_the_next_one_does_it_all(
    empty_database_url: str, database_url: str
) -> None:
    # Three orders before the first migration, then three each: its file, its row, its line in the log.
    last = 3 + 3 * len(ALL)
    for order in (1, 3, 4, 5, last // 2, last):
        assert workers.finish(workers.start(warehouse_jobs.run_migrations, empty_database_url, order)) == [-9]
        assert schema(empty_database_url) == {}
    migrate(empty_database_url)
    assert schema(empty_database_url) == schema(database_url)


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
    with pytest.raises(psycopg.errors.UndefinedColumn):
        migrate(empty_database_url, tmp_path)
    assert schema(empty_database_url) == {}


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


def test_an_owner_who_is_no_superuser_can_migrate_and_ask(postgres: Postgres) -> None:
    # Neon's owner is one: he may create roles and databases, and nothing beyond. Where he made the roles himself he may
    # take them on; made by another role, they have to be granted, and the question says so.
    owner = "cinematch_owner"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        migrated_before = connection.execute("SELECT FROM pg_roles WHERE rolname = 'analyst'").fetchone() is not None
        connection.execute(f"CREATE ROLE {owner} LOGIN CREATEROLE CREATEDB".encode())
        if migrated_before:
            connection.execute(f"GRANT analyst, ml_pipeline TO {owner} WITH ADMIN OPTION".encode())
    try:
        with postgres.database() as url:
            database = url.split("/t_")[1][:12]
            with psycopg.connect(postgres.url, autocommit=True) as connection:
                connection.execute(f"ALTER DATABASE t_{database} OWNER TO {owner}".encode())
            own = f"{url}{'&' if '?' in url else '?'}user={owner}"
            assert migrate(own).applied == ALL
            assert ask(own, "SELECT current_user, count(*) FROM ratings", embedded=False)[1] == [("analyst", 0)]
    finally:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"DROP ROLE {owner}".encode())
