"""Measure the champion and its predecessor on a new batch, and go back when the champion is shown worse.

Here: which models are measured, the paired comparison, what was shown and liked, the automatic rollback. Not here:
drift of the batch (``pipeline.batch_drift``), stored rows (``warehouse.batch_performance``).
"""

import pandas as pd

from cinematch_assets.metrics import mae, rmse
from cinematch_assets.pipeline.models.artifacts import FormatStatus, load_model
from cinematch_assets.pipeline.models.publish import roll_back
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.promotion import GatePolicy, HoldoutErrors, compare
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.evaluation import LIKED
from cinematch_assets.warehouse.batch_performance import (
    BatchPerformance,
    Scores,
    count_listed_rows,
    list_batch_performance,
    write_batch_performance,
)
from cinematch_assets.warehouse.champion import find_scorers, read_champion
from cinematch_assets.warehouse.recommendations import read_recommended_version

BATCHES_RUNNING = 2
"""Batches in a row on which the champion has to be shown worse before an automatic rollback."""


def score_batch(platform: Platform, batch_id: str, md5: str, ratings: pd.DataFrame) -> Scores | None:
    """Measure the newest champion that has not learned from the batch, and its predecessor; store and return it.

    None, and nothing is stored, where there is no such champion or its artifact is of another release.
    """
    readable = [
        version
        for version in platform.warehouse.run(find_scorers, batch_id)
        if FormatStatus.of(version) is FormatStatus.READABLE
    ]
    if not readable:
        return None
    rows = Ratings.from_frame(ratings)
    errors = [load_model(platform, each).predict(rows.users, rows.movies).errors(rows.ratings) for each in readable]
    scores = Scores(len(rows), readable[0].version, rmse(errors[0]), mae(errors[0]))
    if len(readable) > 1:
        paired = compare(HoldoutErrors(rows.users, candidate=errors[0], champion=errors[1]), GatePolicy())
        scores = Scores(
            rows=scores.rows,
            champion=scores.champion,
            champion_rmse=scores.champion_rmse,
            champion_mae=scores.champion_mae,
            predecessor=readable[1].version,
            predecessor_rmse=rmse(errors[1]),
            predecessor_mae=mae(errors[1]),
            difference=paired.difference if paired else None,
            low=paired.low if paired else None,
            high=paired.high if paired else None,
        )
    with platform.warehouse.session() as session:
        published = session.run(read_recommended_version)
        listed = None
        if published in {each.version for each in readable} and published is not None:
            listed = session.run(count_listed_rows, batch_id, published, LIKED)
        session.run(write_batch_performance, batch_id, md5, scores, listed)
    return scores


def roll_back_if_worse(platform: Platform) -> str | None:
    """Go back to the predecessor when the setting asks for it and the champion was shown worse twice running.

    Returns what was done, None when nothing was.
    """
    if platform.settings.auto_rollback == "off":
        return None
    champion = platform.warehouse.run(read_champion)
    if champion is None or not is_worse_running(platform.warehouse.run(list_batch_performance), champion.version):
        return None
    now, former = roll_back(platform, f"shown worse than its predecessor on {BATCHES_RUNNING} batches running")
    return f"{now} is champion again instead of {former}, which was shown worse on {BATCHES_RUNNING} batches running"


def is_worse_running(measured: list[BatchPerformance], champion: str) -> bool:
    """Return whether the last ``BATCHES_RUNNING`` batches were of this champion, shown worse on each."""
    last = measured[-BATCHES_RUNNING:]
    return len(last) == BATCHES_RUNNING and all(each.champion == champion and each.champion_is_worse for each in last)
