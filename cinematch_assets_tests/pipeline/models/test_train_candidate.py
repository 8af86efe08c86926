"""Which rows a candidate is fitted on, and which are held out."""

import pandas as pd

from cinematch_assets.pipeline.models.train_candidate import split_rows
from cinematch_assets.warehouse.model_registry import TrainedBatch
from cinematch_assets.warehouse.training_data import TrainingData

COLUMNS = {"userId": "int32", "movieId": "int32", "rating": "float64", "timestamp": "int64"}


def ratings(*rows: tuple[int, int, float, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def batch(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(batch_id=name, md5=name.ljust(32, "0"))


def training_data(
    *, file: pd.DataFrame, merged: pd.DataFrame | None = None, waiting: pd.DataFrame | None = None
) -> TrainingData:
    none = batch("none", ratings())
    return TrainingData(
        file=file,
        merged=none if merged is None else merged,
        waiting=none if waiting is None else waiting,
        test=ratings((9, 9, 1.0, 1)),
    )


TEN = ratings(*((user, 1, 3.0, 100 + user) for user in range(1, 11)))


def test_without_batches_nothing_is_held_out() -> None:
    rows = split_rows(training_data(file=ratings((1, 2, 3.0, 4)), merged=batch("batch_w1", ratings((5, 6, 2.0, 8)))))
    assert (len(rows.train), len(rows.holdout), len(rows.test), rows.batches) == (2, 0, 1, ())


def test_the_newest_fifth_of_each_waiting_batch_is_held_out() -> None:
    waiting = pd.concat(
        [batch("batch_w1", TEN), batch("batch_w2", TEN.assign(movieId=2, timestamp=TEN["timestamp"] + 50))]
    )
    rows = split_rows(training_data(file=ratings((1, 9, 3.0, 4)), waiting=waiting))
    assert (len(rows.train), len(rows.holdout)) == (1 + 8 + 8, 2 + 2)
    assert sorted(rows.holdout.users.tolist()) == [9, 9, 10, 10]
    assert [each.batch_id for each in rows.batches] == ["batch_w1", "batch_w2"]
    assert len(rows.train_and_holdout) == 21


def test_waiting_batches_that_are_not_named_are_left_out() -> None:
    waiting = pd.concat([batch("batch_w1", TEN), batch("batch_w2", TEN.assign(movieId=2))])
    named = (TrainedBatch("batch_w1", "batch_w1".ljust(32, "0"), 10),)
    rows = split_rows(training_data(file=ratings((1, 9, 3.0, 4)), waiting=waiting), named)
    assert (len(rows.train), len(rows.holdout), rows.batches) == (9, 2, named)


def test_a_batch_whose_content_was_replaced_is_left_out() -> None:
    named = (TrainedBatch("batch_w1", "f" * 32, 10),)
    rows = split_rows(training_data(file=ratings((1, 9, 3.0, 4)), waiting=batch("batch_w1", TEN)), named)
    assert (len(rows.train), len(rows.holdout)) == (1, 0)


def test_of_two_ratings_of_one_pair_the_newest_is_trained_on() -> None:
    rows = split_rows(training_data(file=ratings((1, 1, 3.0, 4)), merged=batch("batch_w1", ratings((1, 1, 5.0, 9)))))
    assert rows.train.ratings.tolist() == [5.0]
