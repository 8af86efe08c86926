"""Role × table × verb: what each role may do is tried on every table, and is this and no more.

A table that is new needs no line here when it has the usual rights (``USUAL``). One with others gets a row in
``NARROWER`` here and in ``sql/queries/migrations/grant_roles.sql``, which grants and revokes.
"""

from collections.abc import Iterator

import psycopg
import pytest

from cinematch_assets.warehouse.connection import connect

pytestmark = pytest.mark.faults("roles")

USUAL = {
    "analyst": {"SELECT"},
    "ml_pipeline": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "outsider": set(),
}
NARROWER = {  # table → role → rights
    "public._yoyo_migration": {"ml_pipeline": {"SELECT"}},
    "public._yoyo_log": {"ml_pipeline": {"SELECT"}},
    "public._yoyo_version": {"ml_pipeline": {"SELECT"}},
    "ops.dropped_indexes": {"ml_pipeline": {"SELECT"}},
    "ops.audit": {"ml_pipeline": {"SELECT", "INSERT"}},
    "ops.suppressed_users": {"ml_pipeline": {"SELECT", "INSERT"}},
    "ops.erasures": {"ml_pipeline": {"SELECT", "INSERT", "UPDATE"}},
}
FUNCTIONS = {
    "ops.drop_ratings_indexes()",
    "ops.build_ratings_indexes()",
    "ops.make_alerts_archive()",
    "ops.analyze_tables()",
}
"""Run with the owner's rights; for ml_pipeline alone."""
VERBS = {
    "SELECT": "SELECT FROM {table} LIMIT 0",
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE": "UPDATE {table} SET {column} = DEFAULT WHERE false",
    "DELETE": "DELETE FROM {table} WHERE false",
    "TRUNCATE": "TRUNCATE {table}",
    "LOCK": "LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
    "REFERENCES": "CREATE TABLE public.referring (x int REFERENCES {table})",
    "TRIGGER": "CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "INDEX": "CREATE INDEX ON {table} ({column})",
    "ALTER": "ALTER TABLE {table} ADD x int",
    "OWNER": "ALTER TABLE {table} OWNER TO CURRENT_USER",
    "DROP": "DROP TABLE {table}",
}
_TABLES = """
SELECT relation.oid::regclass::text, relkind, (
    SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = relation.oid AND attnum = 1
)
FROM pg_class relation
WHERE relkind NOT IN ('i', 'I', 'S', 'c', 't')
    AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1
"""


@pytest.fixture(scope="module")
def matrix_url(shared_url: str) -> Iterator[str]:
    with connect(shared_url) as owner:
        owner.execute("CREATE ROLE outsider LOGIN")
        yield shared_url
        owner.execute("DROP ROLE outsider")


@pytest.fixture
def owner(matrix_url: str) -> Iterator[psycopg.Connection]:
    with connect(matrix_url) as connection:
        yield connection


def tables(owner: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Every table and view: its full name, its kind, its first column."""
    found = owner.execute("SET search_path = pg_catalog").connection.execute(_TABLES).fetchall()
    owner.execute("RESET search_path")
    return found


def attempt(owner: psycopg.Connection, role: str, order: str) -> bool:
    """Try an order as a role, and undo it; return whether the role may."""
    with owner.transaction(force_rollback=True):
        owner.execute(f"SET LOCAL ROLE {role}".encode())
        try:
            with owner.transaction():
                owner.execute(order.encode())
        except psycopg.errors.InsufficientPrivilege:
            return False
        except psycopg.Error:  # the right is asked for first: it failed for something else
            return True
    return True


def rights(role: str, table: str, kind: str) -> set[str]:
    """What the table above says."""
    granted = NARROWER.get(table, {}).get(role, USUAL[role])
    # From Postgres 16 on who may read may also take ACCESS SHARE, and no lock that stops others.
    return granted | ({"LOCK"} if granted & {"UPDATE", "DELETE"} else set()) if kind == "r" else granted


@pytest.mark.parametrize("role", USUAL)
def test_each_verb_on_each_table(owner: psycopg.Connection, role: str) -> None:
    found = tables(owner)
    assert len(found) >= 27
    assert set(NARROWER) <= {table for table, _, _ in found}
    for table, kind, column in found:
        verbs = VERBS if kind == "r" else {verb: VERBS[verb] for verb in ("SELECT", "OWNER")}
        allowed = {
            verb for verb, order in verbs.items() if attempt(owner, role, order.format(table=table, column=column))
        }
        assert allowed == rights(role, table, kind) & set(verbs), (role, table)


@pytest.mark.parametrize("role", USUAL)
def test_the_functions_of_the_owner_are_ml_pipeline_s_alone(owner: psycopg.Connection, role: str) -> None:
    definers = "SELECT oid::regprocedure::text FROM pg_proc WHERE prosecdef"
    assert {name for (name,) in owner.execute(definers).fetchall()} == FUNCTIONS
    unsafe = f"{definers} AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY(proconfig), false)"
    assert owner.execute(unsafe.encode()).fetchall() == []
    for function in FUNCTIONS:
        assert attempt(owner, role, f"SELECT {function}") is (role == "ml_pipeline"), function


def test_no_table_function_or_sequence_is_forgotten(owner: psycopg.Connection) -> None:
    """Whatever a migration makes is of a kind and in a schema that the tests above read, and open to no outsider."""
    schemas = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    assert {name for (name,) in owner.execute(schemas).fetchall()} == {"public", "netflix", "ops"}
    assert {kind for _, kind, _ in tables(owner)} <= {"r", "v"}
    granted = """
        SELECT c.oid::regclass::text FROM pg_class c, aclexplode(c.relacl) a
        WHERE a.grantee = 0 AND relnamespace::regnamespace::text IN ('public', 'netflix', 'ops')
        UNION ALL
        SELECT p.oid::regprocedure::text FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE a.grantee = 0 AND p.prosecdef
    """
    assert owner.execute(granted).fetchall() == []


def test_a_table_of_a_new_migration_is_tried(owner: psycopg.Connection) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute("CREATE SCHEMA fresh CREATE TABLE forgotten (n int)")
        assert "fresh.forgotten" in {table for table, _, _ in tables(owner)}


@pytest.mark.parametrize("role", USUAL)
@pytest.mark.parametrize(
    "order",
    [
        "CREATE TABLE public.mine (n int)",
        "CREATE TABLE ops.mine (n int)",
        "CREATE TEMP TABLE mine (n int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE FUNCTION public.now() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER ROLE analyst SUPERUSER",
        "COPY movies TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT pg_logical_emit_message(false, 'x', 'y')",
        "SET ROLE postgres",
        "SET temp_file_limit = -1",
    ],
)
def test_no_role_gets_beyond_its_tables(owner: psycopg.Connection, role: str, order: str) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute(f"SET LOCAL SESSION AUTHORIZATION {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(order.encode())
