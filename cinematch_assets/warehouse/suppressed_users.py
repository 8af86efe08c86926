"""Who is kept out: keyed hashes of the users who were erased.

Here: the list, and that no load misses an entry. Not here: the key and the hash (``pipeline.suppression``), erasures
(``erasures``).
"""

from collections.abc import Iterable

import psycopg

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.warehouse.statements import scalar, statement


class SuppressionChangedError(SurroundingsError):
    """A person was erased while their file was read; nothing was written, and another run leaves them out."""


def list_suppressed_users(connection: psycopg.Connection) -> dict[str, str]:
    """Return the hash of each user who is kept out → the fingerprint of its key."""
    return dict(connection.execute(statement("erasure/select_suppressed")).fetchall())


def count_suppressed_users(connection: psycopg.Connection) -> int:
    """Return how many users are kept out."""
    return int(scalar(connection, "erasure/count_suppressed"))


def suppress_users(connection: psycopg.Connection, erasure: int, hashes: Iterable[str], fingerprint: str) -> None:
    """Add users to the list, in the caller's transaction."""
    values = {"erasure": erasure, "hashes": sorted(hashes), "fingerprint": fingerprint}
    connection.execute(statement("erasure/insert_suppressed"), values)


def require_suppressed(connection: psycopg.Connection, known: int) -> None:
    """Raise when users were added since the caller read the list, of which ``known`` were on it then.

    Called last in a transaction that wrote rows of users: an erasure that begins later waits for those rows, and
    deletes them.

    Raises:
        SuppressionChangedError: the transaction has to be rolled back.
    """
    if count_suppressed_users(connection) != known:
        raise SuppressionChangedError("people were erased while their file was read: run it again")
