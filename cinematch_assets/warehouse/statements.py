"""SQL by name: ``sql/queries/<verb_object>.sql``.

Here: reading the files, and statements that return one row. Not here: SQL. Values enter as named
parameters, as in %(batch_id)s.
"""

from functools import cache
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from cinematch_assets.project_files import project_file

FOLDER = project_file("sql/queries")


@cache
def statement(name: str) -> LiteralString:
    """Return the text of ``sql/queries/<name>.sql``; it is the project's own, so it counts as literal."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def single_row(connection: psycopg.Connection, name: str, **values: object) -> tuple[Any, ...]:
    """Return the row of a statement that always returns one.

    Raises:
        LookupError: it returned none.
    """
    row = connection.execute(statement(name), values).fetchone()
    if row is None:
        raise LookupError(f"sql/queries/{name}.sql returned no row")
    return row


def scalar(connection: psycopg.Connection, name: str, **values: object) -> Any:
    """Return the value of a statement that always returns one row of one column; see ``single_row``."""
    (value,) = single_row(connection, name, **values)
    return value


def statement_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Every statement's name, in subfolders as ``folder/name``."""
    return tuple(sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.sql")))
