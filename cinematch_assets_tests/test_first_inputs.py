"""First inputs that are small or odd, through the real sensors and runs.

Each gives a model or a sentence that stays true, and what comes later goes on by itself.
"""

from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.outstanding import list_outstanding
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, drop, drop_history, make_platform, rows_of
from cinematch_assets_tests.support.sensor_loop import run_until_idle


@pytest.fixture
def platform(tmp_path: Path, database_url_18: str) -> Platform:
    return make_platform(
        tmp_path / "home", database_url_18, CINEMATCH_RETRY_GAP_S="0", CINEMATCH_RETRAIN_COOLDOWN_S="0"
    )


def ratings(users: range, movies: range, stars: float | None = None) -> pd.DataFrame:
    """Every user rates every movie."""
    user, movie = (grid.ravel() for grid in np.meshgrid(list(users), list(movies), indexing="ij"))
    given = np.where((user + movie) % 2 == 0, 4.0, 2.5) if stars is None else np.full(len(user), stars)
    return pd.DataFrame(
        {"userId": user, "movieId": movie, "rating": given, "timestamp": 1_000_000_000 + np.arange(len(user))}
    )


def movies(count: int) -> str:
    return MOVIES + "".join(
        f"{n},Movie {n} ({1950 + n % 70}),{'Drama|War' if n % 2 else 'Comedy'}\n" for n in range(1, count + 1)
    )


FIRST = {
    "one rating": (movies(3), RATINGS + "1,1,4.0,1000000000\n"),
    "five ratings": (movies(3), RATINGS + "1,1,4,1\n1,2,3,2\n2,1,5,3\n2,3,2,4\n3,2,1,5\n"),
    "one user": (movies(60), ratings(range(1, 2), range(1, 61))),
    "one movie": (movies(1), ratings(range(1, 81), range(1, 2))),
    "one movie of many": (movies(60), ratings(range(1, 81), range(7, 8))),
    "constant": (movies(30), ratings(range(1, 61), range(1, 26), 3.0)),
    "everything rated": (movies(6), ratings(range(1, 61), range(1, 7))),
    "only a header": (movies(3), RATINGS),
}


WITHOUT_A_MODEL = {
    "one rating": "there are no ratings to train on",
    "five ratings": "does not beat",
    "one movie": "does not beat",
    "one movie of many": "does not beat",
    "constant": "does not beat",
    "only a header": "there are no ratings to train a model on",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST)
def test_a_first_file_gives_a_model_or_a_sentence_and_a_larger_one_goes_on(
    platform: Platform, instance: dg.DagsterInstance, name: str
) -> None:
    catalogue, rows = FIRST[name]
    drop(platform, "movies.csv", catalogue)
    drop(platform, "ratings.csv", rows)
    ended = run_until_idle(platform, instance)
    assert len(ended) <= 2, "a deterministic refusal is tried once"
    model = {row.kind: row for row in platform.warehouse.run(list_outstanding)}.get("model")
    if name in WITHOUT_A_MODEL:
        assert model is not None
        assert WITHOUT_A_MODEL[name] in model.reason
        assert model.next_step
    else:
        assert model is None
        assert platform.warehouse.run(read_champion)
    drop_history(platform)
    run_until_idle(platform, instance)
    assert platform.warehouse.run(list_outstanding) == []
    champion = platform.warehouse.run(read_champion)
    assert champion is not None
    assert champion.data_size > 10_000
    assert rows_of(platform, "SELECT count(*), count(DISTINCT userid) FROM recommendations") == [(2_000, 200)]


@pytest.mark.slow
def test_a_catalogue_that_its_users_have_rated_completely_grows_and_a_drifted_batch_trains(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    drop(platform, "movies.csv", movies(6))
    drop(platform, "ratings.csv", ratings(range(1, 61), range(1, 7)))
    run_until_idle(platform, instance)
    assert platform.warehouse.run(list_outstanding) == []
    assert rows_of(platform, "SELECT count(*) FROM recommendations") == [(0,)]
    drop(platform, "movies.csv", movies(40))
    drop(platform, "batches/batch_w1.csv", ratings(range(100, 160), range(1, 31), 5.0))
    run_until_idle(platform, instance)
    assert platform.warehouse.run(list_outstanding) == []
    ((state,),) = rows_of(platform, "SELECT state FROM ops.retraining_decisions")
    assert state in {"retrained", "rejected"}
    assert rows_of(platform, "SELECT count(*) FROM ops.model_versions") == [(2,)]
