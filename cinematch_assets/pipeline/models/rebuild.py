"""Train on what the landed contents hold, without the tables of ratings: a second way to the same model.

Here: rows read from the store again, and the model fitted to them. Not here: training from the warehouse
(``train_candidate``), repeating a version by its record (``rebuild_version``), comparing the two
(``pipeline.erasure``). What a person corrected by hand is in no landed content, so with such rows the two differ.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cinematch_assets.pairs import pair_keys
from cinematch_assets.pipeline.models.artifacts import read_catalogue
from cinematch_assets.pipeline.models.train_candidate import chosen_config
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.reading.ratings import UNKNOWN_MOVIE, read_ratings
from cinematch_assets.reading.released import NO_LIMIT, reread_ratings
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.model import fit_recommender, sha256_of
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.splitting import is_test
from cinematch_assets.warehouse.erasures import TrainingContent, list_training_contents
from cinematch_assets.warehouse.movies import list_known_movies
from cinematch_assets.warehouse.rejected_rows import read_rejected_rows


def rebuild_sha256(platform: Platform, progress: Progress | None = None) -> str:
    """Fit a model to the landed contents of the ratings file and of merged batches; return its artifact's sha256."""
    rows = Ratings.from_frame(read_landed_rows(platform)).latest()
    config, seed = chosen_config(platform.settings), platform.settings.seed
    model = fit_recommender(
        rows,
        read_catalogue(platform),
        config=config,
        seed=seed,
        progress=progress,
        residual_trainer=platform.residual_trainer,
    )
    return sha256_of(model.to_bytes())


def read_landed_rows(platform: Platform) -> pd.DataFrame:
    """Return the training rows of the landed contents: userId, movieId, rating, timestamp.

    Those are the train split of the file, and the rows of merged batches whose pair is not in its test split.
    """
    contents = platform.warehouse.run(list_training_contents)
    files = [_read(platform, each) for each in contents if each.batch_id is None]
    batches = [_read(platform, each) for each in contents if each.batch_id is not None]
    test = [is_test(file, platform.settings.split) for file in files]
    train = [file[~held_out] for file, held_out in zip(files, test, strict=True)]
    held = [_pairs(file[held_out]) for file, held_out in zip(files, test, strict=True)]
    kept = [batch[~np.isin(_pairs(batch), held[0])] if held else batch for batch in batches]
    return pd.concat([*train, *kept], ignore_index=True)


def _pairs(ratings: pd.DataFrame) -> NDArray[np.int64]:
    return pair_keys(ratings["userId"].to_numpy(np.int32), ratings["movieId"].to_numpy(np.int32))


def _read(platform: Platform, content: TrainingContent) -> pd.DataFrame:
    """Read a content as it was loaded: movies that it was rejected for then are unknown to it now too."""
    movies = platform.warehouse.run(list_known_movies).ids
    waiting = platform.warehouse.run(read_rejected_rows, path=content.path, md5=content.md5)
    unknown = [row for row in waiting if UNKNOWN_MOVIE in row.reasons and row.columns]
    if unknown:
        texts = [row.raw_row for row in unknown]
        rejected = reread_ratings(texts, unknown[0].columns or [], known_movies=None).accepted
        movies = np.setdiff1d(movies, rejected["movieId"].to_numpy(np.int32))
    with platform.store.path(content.store_key) as path:
        return read_ratings(path, known_movies=movies, limit=NO_LIMIT, name=content.path).accepted
