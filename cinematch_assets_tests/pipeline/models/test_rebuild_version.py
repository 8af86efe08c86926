"""Loads are repeated in memory with the result that the tables had."""

from pathlib import Path

import pandas as pd
import pytest

from cinematch_assets.pipeline.genre_features import project_movies
from cinematch_assets.pipeline.ingest.release_rejects import release_rows
from cinematch_assets.pipeline.models.artifacts import read_loaded_catalogue
from cinematch_assets.pipeline.models.rebuild_version import CannotRebuildError, collect_inputs, needed_loads
from cinematch_assets.pipeline.models.train_candidate import split_rows
from cinematch_assets.pipeline.models.trained_from import TrainedFrom, describe_training, hash_catalogue, hash_ratings
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.warehouse.table_loads import RecordedLoad
from cinematch_assets_tests.support.platforms import drop_history, load_table, make_platform, rows_of, take_in_history


def describe_now(platform: Platform) -> TrainedFrom:
    """Describe the training of a candidate, without fitting it."""
    catalogue, movies_load = read_loaded_catalogue(platform)
    data = platform.warehouse.read_training_data()
    rows = split_rows(data)
    return describe_training(
        data,
        rows.batches,
        rows.train,
        catalogue,
        movies_load=movies_load,
        config=RecommenderConfig(),
        seed=1,
        is_held_out=len(rows.holdout) > 0,
    )


def assert_repeated(platform: Platform, trained: TrainedFrom) -> None:
    inputs = collect_inputs(platform, trained)
    assert dict(inputs.rows) == dict(trained.rows)
    assert hash_ratings(inputs.train) == trained.ratings_md5
    assert hash_catalogue(inputs.catalogue) == trained.catalogue_md5


@pytest.mark.parametrize("split", ["hash", "temporal"])
def test_the_rows_of_a_candidate_are_repeated_under_either_split(
    tmp_path: Path, database_url_18: str, split: str
) -> None:
    """The newest fifth of a waiting batch is held out; some of its pairs are test pairs; one row was corrected."""
    platform = make_platform(tmp_path / "home", database_url_18, CINEMATCH_SPLIT=split)
    history = drop_history(platform, users=20, movies=20)
    take_in_history(platform)
    faulty = pd.concat([history, pd.DataFrame({"userId": [99], "movieId": [3], "rating": [9.0], "timestamp": [5]})])
    load_table(platform, "ratings", faulty)
    before = describe_now(platform)
    ((row,),) = rows_of(platform, "SELECT id FROM ops.rejected_rows")
    assert isinstance(row, int)
    assert release_rows(platform, [row], correction="99,3,4.5,5").released == 1
    load_table(platform, "batches/batch_w1", history.sample(60, random_state=1).assign(timestamp=2_000_000_000))
    with platform.warehouse.connect() as connection:
        connection.execute("UPDATE ops.batches SET assessed_md5 = md5")
    with_batch = describe_now(platform)
    load_table(platform, "ratings", history.sample(frac=0.5, random_state=2))
    assert with_batch.held_out == ("batches/batch_w1",)
    assert before.ratings_md5 != with_batch.ratings_md5
    for trained in (before, with_batch, describe_now(platform)):
        assert_repeated(platform, trained)


def test_features_are_those_that_were_written_before(platform: Platform) -> None:
    """A movie whose genres changed has none, and a new movie neither, until they are projected again."""
    drop_history(platform, users=20, movies=20)
    take_in_history(platform)
    load_table(
        platform, "movies", "movieId,title,genres\n1,Changed (1999),War\n2,Film 2 (1952),Drama|War\n21,New,Drama\n"
    )
    changed = describe_now(platform)
    project_movies(platform)
    projected = describe_now(platform)
    load_table(platform, "movies", "movieId,title,genres\n3,Other title,Comedy|Musical\n")
    assert len({each.catalogue_md5 for each in (changed, projected, describe_now(platform))}) == 3
    for trained in (changed, projected, describe_now(platform)):
        assert_repeated(platform, trained)


def load(
    number: int, table: str, kind: str = "content", *, known: int | None = None, kept: int | None = 0
) -> RecordedLoad:
    return RecordedLoad(number, table, kind, table, "0" * 32, "key", known, None, kept, None)  # type: ignore[arg-type]


HISTORY = [
    load(1, "movies"),
    load(2, "movies", "features", known=1),
    load(3, "ratings", known=1),
    load(4, "ratings", "released", known=1),
    load(5, "movies", kept=0),
    load(6, "movies", "features", known=5),
    load(7, "batches/w1", known=5),
    load(8, "ratings", known=5),
    load(9, "movies", kept=3),
]


@pytest.mark.parametrize(
    ("last", "needed"),
    [
        ({"movies": 2, "ratings": 4}, [1, 2, 3, 4]),
        ({"movies": 6, "ratings": 4}, [1, 2, 3, 4, 5, 6]),  # its rows were checked against the first file of movies
        ({"movies": 6, "ratings": 8, "batches/w1": 7}, [5, 6, 7, 8]),
        ({"movies": 9, "ratings": 8}, [5, 6, 8, 9]),
        ({"movies": 5, "ratings": 3}, [1, 2, 3, 5]),  # no features since the whole file: they are the former ones
    ],
)
def test_loads_that_later_ones_replaced_are_not_needed(last: dict[str, int], needed: list[int]) -> None:
    assert [each.id for each in needed_loads(HISTORY, last)] == needed


def test_before_there_are_features_the_last_whole_file_of_movies_is_enough() -> None:
    history = [load(1, "movies"), load(2, "movies"), load(3, "movies", kept=1)]
    assert [each.id for each in needed_loads(history, {"movies": 3})] == [2, 3]


def test_a_load_that_is_not_on_record_is_named() -> None:
    with pytest.raises(CannotRebuildError, match="the record of ratings"):
        needed_loads(HISTORY, {"movies": 6, "ratings": 77})
