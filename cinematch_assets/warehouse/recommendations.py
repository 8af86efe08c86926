"""Table ``recommendations``: the champion's top-N recommendations of all users.

Here: replacing all rows, and which version they are of. Not here: computing them (``recommender``).
"""

import numpy as np
import pandas as pd
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from cinematch_assets.warehouse.copy import copy_columns, read_frame
from cinematch_assets.warehouse.locks import lock
from cinematch_assets.warehouse.model_registry import require_champion_is
from cinematch_assets.warehouse.statements import statement
from cinematch_assets.warehouse.table_sizes import analyze_after_load


def read_recommended_version(connection: psycopg.Connection) -> str | None:
    """Return the version whose recommendations were published last, None before the first.

    They may be no rows at all: users who have rated every movie get none.
    """
    row = connection.execute(statement("registry/select_recommended_version")).fetchone()
    return None if row is None else str(row[0])


def read_titled_recommendations(url: str) -> pd.DataFrame:
    """Return the published lists with the titles of their movies, in order of userId and rank."""
    columns = {"userId": "int32", "rank": "int16", "movieId": "int32", "score": "float32"}
    frame = read_frame(url, statement("registry/select_titled_recommendations"), (*columns, "model_version", "title"))
    return frame.astype(columns)


def write_recommendations(connection: psycopg.Connection, version: str, recommendations: pd.DataFrame) -> int:
    """Replace all of ``recommendations`` (userId, rank, movieId, score, because), if ``version`` is still champion.

    Raises:
        RegistryConflictError: another version became champion meanwhile; its own run writes its recommendations.
    """
    with connection.transaction():
        lock(connection, "registry")
        require_champion_is(connection, version)
        written = replace_recommendations(connection, version, recommendations)
    analyze_after_load(connection, written)
    return written


def replace_recommendations(connection: psycopg.Connection, version: str, recommendations: pd.DataFrame) -> int:
    """Replace all rows of ``recommendations`` in the caller's transaction; return how many were written.

    Without a column ``because``, as stored by releases before it, no row has reasons. Rows with equally many reasons
    are written together, since a COPY of columns has rows of one width.
    """
    connection.execute(statement("registry/delete_recommendations"))
    connection.execute(statement("registry/update_recommended_version"), {"version": version})
    because = _reasons(recommendations)
    numbers = (because >= 0).sum(axis=1)
    columns = {
        "userId": recommendations["userId"].to_numpy("int32"),
        "rank": recommendations["rank"].to_numpy("int16"),
        "movieId": recommendations["movieId"].to_numpy("int32"),
        "score": recommendations["score"].to_numpy("float32"),
    }
    table, constants = sql.Identifier("recommendations"), {"model_version": version}
    for number in np.unique(numbers).tolist():
        rows = numbers == number
        chosen = {name: values[rows] for name, values in columns.items()} | {"because": because[rows, :number]}
        copy_columns(connection, table, chosen, constants)
    return len(recommendations)


def _reasons(recommendations: pd.DataFrame) -> NDArray[np.int32]:
    """Return the lists of column ``because`` as an array (rows, longest), filled up with −1."""
    if "because" not in recommendations:
        return np.full((len(recommendations), 0), -1, np.int32)
    lists = recommendations["because"].tolist()
    out = np.full((len(lists), max((len(each) for each in lists), default=0)), -1, np.int32)
    for row, each in enumerate(lists):
        out[row, : len(each)] = each
    return out
