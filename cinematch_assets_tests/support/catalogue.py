"""What Postgres' catalogue says of a schema, in a form that two databases can be compared in."""

import psycopg

_COLUMNS = """
SELECT c.relname || '.' || a.attname,
       format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
           || COALESCE(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'v') AND c.relnamespace = %(schema)s::regnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped
"""
_CONSTRAINTS = """
SELECT c.conrelid::regclass || ' constraint ' || c.conname, pg_get_constraintdef(c.oid)
FROM pg_constraint c
WHERE c.connamespace = %(schema)s::regnamespace AND c.contype <> 'n' AND c.conrelid <> 0
"""
_INDEXES = "SELECT tablename || ' index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s"
_FUNCTIONS = "SELECT 'function ' || proname, prosrc FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace"


def catalogue(url: str, schema: str) -> dict[str, str]:
    """Columns, constraints, indexes and functions, those of the migration tool left out."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('search_path', %(schema)s, true)", {"schema": schema})
        found: dict[str, str] = {}
        for query in (_COLUMNS, _CONSTRAINTS, _INDEXES, _FUNCTIONS):
            found |= dict(connection.execute(query, {"schema": schema}).fetchall())
    return {
        name: text.replace(f"{schema}.", "") for name, text in found.items() if not name.startswith(("_yoyo", "yoyo"))
    }
