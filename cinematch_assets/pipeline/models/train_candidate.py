"""Fit a candidate on everything accepted, but for what will judge it.

Here: which rows teach and which are held out. Not here: the method (``recommender``), the verdict (``judging``).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cinematch_assets.pipeline.models.artifacts import keep_model, read_catalogue
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.promotion import holdout_newest
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.model import Recommender, fit_recommender
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.warehouse.model_registry import Artifact, TrainedBatch, register_candidate
from cinematch_assets.warehouse.training_data import TrainingData, training_data


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a retraining: ``teach`` for the candidate, ``judge`` held out of it, ``test`` the test split."""

    teach: Ratings
    judge: Ratings
    test: Ratings
    batches: tuple[TrainedBatch, ...]

    @property
    def everything(self) -> Ratings:
        """All that a promoted model is refitted on."""
        return Ratings.from_frame(pd.concat([self.teach.to_frame(), self.judge.to_frame()]))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted and registered model."""

    version: str
    model: Recommender
    artifact: Artifact
    rows: Rows


def rows_of(data: TrainingData, batches: tuple[TrainedBatch, ...] | None = None) -> Rows:
    """Hold out the newest fifth of each waiting batch; ``batches`` limits which of those count (None: all)."""
    batches = tuple(data.waiting_batches()) if batches is None else batches
    wanted = {(batch.batch_id, batch.md5) for batch in batches}
    teach, judge = [data.file, data.merged], []
    for (batch_id, md5), batch in data.waiting.groupby(["batch_id", "md5"], sort=True):
        if (batch_id, md5) in wanted:
            held = holdout_newest(
                batch["timestamp"].to_numpy(np.int64), batch["userId"].to_numpy(), batch["movieId"].to_numpy()
            )
            teach.append(batch[~held])
            judge.append(batch[held])
    return Rows(
        teach=Ratings.from_frame(pd.concat([frame[list(data.file.columns)] for frame in teach])).latest(),
        judge=Ratings.from_frame(pd.concat([data.file.iloc[:0], *(frame[list(data.file.columns)] for frame in judge)])),
        test=Ratings.from_frame(data.test),
        batches=batches,
    )


def train_candidate(platform: Platform, run_id: str, progress: Progress | None = None) -> Candidate:
    """Fit, store and register a model on what is accepted now; batches that arrive later are not in it."""
    rows = rows_of(training_data(platform.warehouse.url))
    config = RecommenderConfig()
    seed = platform.settings.seed
    model = fit_recommender(rows.teach, read_catalogue(platform), config=config, seed=seed, progress=progress)
    artifact = keep_model(platform, model)
    with platform.warehouse.connect() as connection:
        version = register_candidate(
            connection,
            run_id,
            artifact,
            method=model.method,
            config=config.model_dump(),
            seed=seed,
            data_size=len(rows.teach),
            batches=rows.batches,
        )
    return Candidate(version, model, artifact, rows)
