"""First inputs that are small or odd, through the real sensors and runs.

Each gives a model or a sentence that stays true, and what comes later goes on by itself.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.outstanding import list_outstanding
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, drop, drop_history, make_platform, rows_of
from cinematch_assets_tests.support.real_data import find_case, find_data
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


def copy(platform: Platform, source: Path, name: str) -> None:
    drop(platform, name, source.read_bytes())


@pytest.mark.slow
def test_real_ratings_after_a_file_of_five_train_a_model(platform: Platform, instance: dg.DagsterInstance) -> None:
    case, real = find_case("few_then_many"), find_data("ml-latest-small")
    copy(platform, real / "movies.csv", "movies.csv")
    copy(platform, case / "ratings_first.csv", "ratings.csv")
    run_until_idle(platform, instance)
    assert platform.warehouse.run(read_champion) is None
    copy(platform, real / "ratings.csv", "ratings.csv")
    ended = run_until_idle(platform, instance)
    assert [job for job, _ in ended].count("retrain") == 1
    assert platform.warehouse.run(list_outstanding) == []
    champion = platform.warehouse.run(read_champion)
    assert champion is not None
    assert champion.data_size == 70_781


@pytest.mark.slow
def test_a_catalogue_that_was_rated_completely_grows(platform: Platform, instance: dg.DagsterInstance) -> None:
    case = find_case("tiny_catalogue")
    copy(platform, case / "movies.csv", "movies.csv")
    copy(platform, case / "ratings.csv", "ratings.csv")
    run_until_idle(platform, instance)
    copy(platform, case / "movies_grown.csv", "movies.csv")
    copy(platform, case / "batch_w1.csv", "batches/batch_w1.csv")
    run_until_idle(platform, instance)
    assert platform.warehouse.run(list_outstanding) == []
    assert rows_of(platform, "SELECT due, state FROM ops.retraining_decisions") in (
        [(True, "retrained")],
        [(True, "rejected")],
    )


_VECTORS = "SELECT count(DISTINCT pca_features::text) FROM movies"


@pytest.mark.slow
def test_genres_between_commas_fix_no_basis_for_the_file_that_follows(
    platform: Platform,
    instance: dg.DagsterInstance,
    migrated_database: Callable[[], AbstractContextManager[str]],
    tmp_path: Path,
) -> None:
    case, real = find_case("comma_genres"), find_data("ml-latest-small")
    copy(platform, case / "movies.csv", "movies.csv")
    run_until_idle(platform, instance)
    copy(platform, real / "movies.csv", "movies.csv")
    run_until_idle(platform, instance)
    with migrated_database() as url, dg.DagsterInstance.ephemeral() as own:
        alone = make_platform(tmp_path / "alone", url)
        copy(alone, real / "movies.csv", "movies.csv")
        run_until_idle(alone, own)
        assert rows_of(platform, _VECTORS) == rows_of(alone, _VECTORS)
    assert rows_of(platform, _VECTORS)[0][0] > 600


@pytest.mark.slow
def test_parquet_with_views_is_loaded(platform: Platform, instance: dg.DagsterInstance) -> None:
    case = find_case("parquet_views")
    copy(platform, case / "movies_string_view.parquet", "movies.parquet")
    run_until_idle(platform, instance)
    assert rows_of(platform, "SELECT count(*) > 0, count(*) FILTER (WHERE title IS NULL) FROM movies") == [(True, 0)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bracket_header.csv", "close_tag_header.csv"])
def test_a_header_in_markup_is_refused_in_a_sentence(
    platform: Platform, instance: dg.DagsterInstance, name: str
) -> None:
    copy(platform, find_case("markup") / "movies_brackets.csv", "movies.csv")
    copy(platform, find_case("markup") / name, "ratings.csv")
    run_until_idle(platform, instance)
    (waiting,) = [row for row in platform.warehouse.run(list_outstanding) if row.kind != "model"]
    assert "userId" in waiting.reason
    assert "ratings" in waiting.name
    assert rows_of(platform, "SELECT count(*) FROM ratings") == [(0,)]
