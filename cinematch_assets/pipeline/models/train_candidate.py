"""Fit a candidate on all accepted ratings but the holdout.

Here: which rows are training rows and which are held out. Not here: the method (``recommender.model``), the decision
(``pipeline.models.gate_candidate``).
"""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.models.artifacts import keep_model, read_loaded_catalogue
from cinematch_assets.pipeline.models.trained_from import describe_training
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.promotion import holdout_newest
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.model import Recommender, fit_recommender
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.settings import Settings
from cinematch_assets.warehouse.model_registry import Artifact, TrainedBatch, register_candidate
from cinematch_assets.warehouse.training_data import TrainingData, read_data_key

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """The rows of a retraining: the candidate is fitted on ``train``; ``holdout`` and ``test`` are to measure it on.

    ``holdout`` is the newest fifth of each waiting batch, ``test`` the test split of the ratings file.
    """

    train: Ratings
    holdout: Ratings
    test: Ratings
    batches: tuple[TrainedBatch, ...]

    @property
    def train_and_holdout(self) -> Ratings:
        """The rows that a promoted model is fitted on again."""
        return Ratings.from_frame(pd.concat([self.train.to_frame(), self.holdout.to_frame()]))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted and registered model."""

    version: str
    model: Recommender
    artifact: Artifact
    rows: TrainingRows
    left_out: tuple[str, ...] = ()
    """Batches that are loaded and were not trained on, because they were not assessed yet."""

    def as_metadata(self) -> dict[str, Any]:
        """Return version, method and the number of rows."""
        return {
            "version": self.version,
            "method": self.model.method,
            "why": self.model.reason,
            "trained_on": len(self.rows.train),
            "held_out": len(self.rows.holdout),
            "batches": [batch.batch_id for batch in self.rows.batches],
            "batches_not_assessed_yet": list(self.left_out),
            "artifact_mb": round(self.artifact.size / 2**20, 2),
            "computed_by": dict(self.artifact.computed_by or {}),
        }


def split_rows(data: TrainingData, batches: tuple[TrainedBatch, ...] | None = None) -> TrainingRows:
    """Hold out the newest fifth of each waiting batch; with ``batches``, the other waiting batches are left out."""
    batches = tuple(data.waiting_batches()) if batches is None else batches
    wanted = {(batch.batch_id, batch.md5) for batch in batches}
    columns = list(data.file.columns)
    train, holdout = [data.file, data.merged], [data.file.iloc[:0]]
    for (batch_id, md5), batch in data.waiting.groupby(["batch_id", "md5"], sort=True):
        if (batch_id, md5) in wanted:
            newest = holdout_newest(
                batch["timestamp"].to_numpy(np.int64), batch["userId"].to_numpy(), batch["movieId"].to_numpy()
            )
            train.append(batch[~newest])
            holdout.append(batch[newest])
    return TrainingRows(
        train=Ratings.from_frame(pd.concat([frame[columns] for frame in train])).latest(),
        holdout=Ratings.from_frame(pd.concat([frame[columns] for frame in holdout])),
        test=Ratings.from_frame(data.test),
        batches=batches,
    )


def chosen_config(settings: Settings) -> RecommenderConfig:
    """Return the hyperparameters of a new model, with the method that CINEMATCH_TRAINER asks for."""
    return RecommenderConfig(method="spark_als") if settings.trainer == "spark" else RecommenderConfig()


def train_candidate(
    platform: Platform,
    run_id: str,
    progress: Progress | None = None,
    *,
    seed: int | None = None,
    time_budget_s: float | None = None,
) -> Candidate:
    """Fit, store and register a model on the ratings that are accepted now; batches that arrive later are not in it.

    Args:
        platform: where it is stored.
        run_id: Dagster's, which becomes part of the version.
        progress: is told of each phase.
        seed: of all random numbers; that of the settings where it is None.
        time_budget_s: processor time for sampling, as ``RecommenderConfig.within``; the default where it is None.
    """
    with log_phase(_LOG, "read training data"):
        trained_on = platform.warehouse.run(read_data_key)
        data = platform.warehouse.read_training_data()
        rows = split_rows(data)
        catalogue, movies_load = read_loaded_catalogue(platform)
    if data.left_out:
        _LOG.info("left out, because they were not assessed yet: %s", ", ".join(data.left_out))
    config = chosen_config(platform.settings)
    config = config if time_budget_s is None else config.within(time_budget_s)
    seed = platform.settings.seed if seed is None else seed
    with log_phase(_LOG, f"fit a candidate on {count(len(rows.train), 'rating')}"):
        model = fit_recommender(
            rows.train,
            catalogue,
            config=config,
            seed=seed,
            progress=progress,
            residual_trainer=platform.residual_trainer,
        )
    artifact = keep_model(platform, model)
    trained_from = describe_training(
        data,
        rows.batches,
        rows.train,
        catalogue,
        movies_load=movies_load,
        config=config,
        seed=seed,
        is_held_out=len(rows.holdout) > 0,
    )
    version = platform.warehouse.run(
        register_candidate,
        run_id,
        artifact,
        method=model.method,
        config=config.model_dump(),
        seed=seed,
        data_size=len(rows.train),
        batches=rows.batches,
        trained_on=trained_on,
        trained_from=trained_from.to_dict(),
    )
    _LOG.info("registered %s: %s", version, model.reason)
    return Candidate(version, model, artifact, rows, data.left_out)
