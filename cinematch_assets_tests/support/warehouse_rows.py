"""Small frames and landed files for tests, and what the tables hold of them."""

import hashlib
from typing import Any, Literal

import numpy as np
import pandas as pd
import psycopg
from psycopg import sql

from cinematch_assets.splitting import is_test_by_hash
from cinematch_assets.table_names import table_of
from cinematch_assets.warehouse.batches import BatchLoad, load_batch, read_stored_batch
from cinematch_assets.warehouse.champion import promote, read_champion
from cinematch_assets.warehouse.drift_alerts import write_assessment
from cinematch_assets.warehouse.landed_files import LandedFile, find_newest_landed, record_landing
from cinematch_assets.warehouse.model_registry import Artifact, GateResult, TrainedBatch, register_candidate
from cinematch_assets.warehouse.ratings import RatingsLoad, load_ratings

Row = tuple[int, int, float, int]


def make_ratings(*rows: Row) -> pd.DataFrame:
    """Ratings as ``reading`` hands them over."""
    made = pd.DataFrame(rows, columns=["userId", "movieId", "rating", "timestamp"])
    return made.astype({"userId": "int32", "movieId": "int32", "rating": "float64", "timestamp": "int64"})


def make_random_ratings(rows: int, seed: int = 0, users: int = 500, movies: int = 1_000) -> pd.DataFrame:
    """Ratings of distinct pairs, in no order."""
    random = np.random.default_rng(seed)
    pairs = random.choice(users * movies, rows, replace=False)
    return pd.DataFrame(
        {
            "userId": (pairs // movies + 1).astype(np.int32),
            "movieId": (pairs % movies + 1).astype(np.int32),
            "rating": random.integers(1, 11, rows) / 2,
            "timestamp": random.integers(10**9, 2 * 10**9, rows),
        }
    )


def md5_of(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def land(connection: psycopg.Connection, path: str, content: str = "a") -> LandedFile:
    """A content of a file, as if it lay in the store."""
    record_landing(connection, path, md5_of(content), len(content), f"landed/{md5_of(content)}")
    return find_newest_landed(connection, table_of(path))


def load_file(connection: psycopg.Connection, ratings: pd.DataFrame, content: str = "a") -> RatingsLoad:
    """The ratings file, split by the hash."""
    test = is_test_by_hash(ratings["userId"].to_numpy(), ratings["movieId"].to_numpy())
    return load_ratings(connection, ratings, test, land(connection, "ratings.csv", content))


def load(connection: psycopg.Connection, batch_id: str, ratings: pd.DataFrame, content: str = "a") -> BatchLoad:
    """A batch; ``content`` stands for the bytes of its file."""
    return load_batch(connection, batch_id, ratings, land(connection, f"batches/{batch_id}.csv", content))


def assess(connection: psycopg.Connection, batch_id: str, *, due: bool = False) -> None:
    """A batch's decision without alerts, so that it is trained on."""
    stored = read_stored_batch(connection, batch_id)
    assert stored is not None
    write_assessment(connection, batch_id, stored.md5, [], due=due, reason=f"{batch_id} moved", evidence={})


def read_rows(
    connection: psycopg.Connection, table: str, columns: str = "userid, movieid, rating, timestamp"
) -> list[Any]:
    """Rows in an order of their own."""
    query = f"SELECT {columns} FROM {table} ORDER BY {columns}"
    return connection.execute(query.encode()).fetchall()


def read_row_versions(connection: psycopg.Connection, table: str) -> list[Any]:
    """Where each row lies and which transaction wrote it: equal means that no row was touched."""
    query = sql.SQL("SELECT ctid::text, xmin::text FROM {} ORDER BY 1").format(sql.Identifier(*table.split(".")))
    return connection.execute(query).fetchall()


def count(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {query}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def list_indexes(connection: psycopg.Connection, table: str = "ratings") -> list[Any]:
    return connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s ORDER BY 1", [table]
    ).fetchall()


def add_candidate(connection: psycopg.Connection, run: str, *batches: TrainedBatch) -> str:
    """A registered model that learned from these batches."""
    return register_candidate(
        connection,
        run,
        make_artifact(run),
        method="als",
        config={"factors": 8},
        seed=42,
        data_size=100,
        batches=batches,
    )


def make_artifact(name: str) -> Artifact:
    return Artifact(f"models/{name}", hashlib.sha256(name.encode()).hexdigest(), 1_000, 2)


def make_gate_result(rmse: float = 0.9) -> GateResult:
    return GateResult(rmse, 0.7, 0.8, "notes", {"rmse": rmse}, {"reason": "better on the newest rows"})


def promote_candidate(
    connection: psycopg.Connection, run: str, *batches: TrainedBatch, merge: Literal["merge", "delete"] = "merge"
) -> tuple[str, tuple[str, ...]]:
    """Register a candidate and promote it over the champion; return its version and the batches that moved."""
    champion = read_champion(connection)
    version = add_candidate(connection, run, *batches)
    over = champion.version if champion else None
    final = make_artifact(f"final-{run}")
    return version, promote(connection, version, final, make_gate_result(), over=over, data_size=3, merge=merge)


def merge_batch(connection: psycopg.Connection, batch_id: str, run: str = "run") -> str:
    """Promote a model that was trained on the batch; return its version."""
    existing = read_stored_batch(connection, batch_id)
    assert existing is not None
    version, moved = promote_candidate(connection, run, TrainedBatch(batch_id, existing.md5, existing.rows))
    assert moved == (batch_id,)
    return version


def make_recommendations(*rows: tuple[int, int, int, float]) -> pd.DataFrame:
    """Recommendations as the models hand them over: user, rank, movie, score."""
    return pd.DataFrame(rows, columns=["userId", "rank", "movieId", "score"])
