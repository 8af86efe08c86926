"""Measure a candidate and the champion on the same rows, and promote or reject.

Here: who is measured on what, the refit after a "yes". Not here: the rule (``promotion.gate``), the swap
(``warehouse``).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.models.artifacts import (
    FormatStatus,
    format_message,
    keep_model,
    load_model,
    read_catalogue,
)
from cinematch_assets.pipeline.models.train_candidate import Rows, rows_of
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.promotion import GatePolicy, HoldoutErrors, Verdict, gate
from cinematch_assets.recommender.baselines import bias_only, global_mean, popularity
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings, counts_among
from cinematch_assets.recommender.evaluation import Evaluation, evaluate
from cinematch_assets.recommender.model import Recommender, fit_recommender
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.recommender.protocol import Model
from cinematch_assets.warehouse import model_registry
from cinematch_assets.warehouse.champion import promote, read_champion, reject
from cinematch_assets.warehouse.training_data import training_data


@dataclass(frozen=True, slots=True)
class GatedCandidate:
    """A candidate's verdict, figures and, when it was promoted, the batches that moved with it."""

    version: str
    champion: str | None
    verdict: Verdict
    evaluation: Evaluation
    baselines: dict[str, Evaluation]
    merged: tuple[str, ...]


def gate_candidate(platform: Platform, version: str, progress: Progress | None = None) -> GatedCandidate:
    """Promote ``version`` or reject it, on evidence that is stored with it."""
    with platform.warehouse.connect() as connection:
        row = model_registry.model_version(connection, version)
        batches = tuple(model_registry.trained_batches(connection, version))
        champion = read_champion(connection)
    if row.state != "candidate":
        raise CinematchError(f"{version} was judged before ({row.state}): materialize recommender_model for a new one")
    if FormatStatus.of(row) is not FormatStatus.READABLE:
        raise CinematchError(f"{format_message(row)}: materialize recommender_model for a new one")
    champion_format = FormatStatus.of(champion) if champion else None
    if champion and champion_format is FormatStatus.NEWER:
        raise CinematchError(f"{version} cannot replace the champion: {format_message(champion)}")
    catalogue = read_catalogue(platform)
    rows = rows_of(training_data(platform.warehouse.url), batches)
    candidate = load_model(platform, row)
    before = champion.version if champion else None
    champion_model = load_model(platform, champion) if champion and champion_format is FormatStatus.READABLE else None
    baselines = {model.method: model for model in _baselines(rows.teach, catalogue)}
    policy = GatePolicy(allowed_loss=platform.settings.max_test_rmse_loss)
    verdict = gate(
        _errors(rows.test, rows.teach, candidate, champion_model, baselines),
        _errors(rows.judge, rows.teach, candidate, champion_model, {}) if len(rows.judge) else None,
        policy,
        alone=_why_alone(champion),
    )
    measured = {name: evaluate(model, rows.teach, rows.test, catalogue) for name, model in baselines.items()}
    if not verdict.promoted:
        evaluation = evaluate(candidate, rows.teach, rows.test, catalogue)
        with platform.warehouse.connect() as connection:
            reject(connection, version, _gate_result(verdict, evaluation, measured, candidate))
        return GatedCandidate(version, before, verdict, evaluation, measured, ())
    final, taught = _refitted(platform, candidate, rows, catalogue, progress)
    evaluation = evaluate(final, taught, rows.test, catalogue)
    artifact = row.artifact if final is candidate else keep_model(platform, final)
    with platform.warehouse.connect() as connection:
        merged = promote(
            connection,
            version,
            artifact,
            _gate_result(verdict, evaluation, measured, final),
            over=before,
            data_size=len(taught),
            merge=platform.settings.merge,
        )
    return GatedCandidate(version, before, verdict, evaluation, measured, merged)


def _why_alone(champion: model_registry.ModelVersion | None) -> str:
    """Why a candidate is judged by the baselines alone, where it is."""
    if champion is None:
        return "first model"
    named = f"the champion, {champion.version}, has format {champion.artifact_format}"
    return f"{named}, which this version cannot compare with"


def _refitted(
    platform: Platform, candidate: Recommender, rows: Rows, catalogue: Catalogue, progress: Progress | None
) -> tuple[Recommender, Ratings]:
    """The promoted model learns from the rows that judged it too; without such rows it is the candidate itself."""
    if len(rows.judge) == 0:
        return candidate, rows.teach
    taught = rows.everything.latest()
    config, seed = RecommenderConfig(), platform.settings.seed
    return fit_recommender(taught, catalogue, config=config, seed=seed, progress=progress), taught


def _baselines(train: Ratings, catalogue: Catalogue) -> list[Model]:
    return [global_mean(train, catalogue), bias_only(train, catalogue), popularity(train, catalogue)]


def _errors(
    rows: Ratings, train: Ratings, candidate: Model, champion: Model | None, baselines: dict[str, Model]
) -> HoldoutErrors:
    def error(model: Model) -> NDArray[np.float64]:
        return model.predict(rows.users, rows.movies).errors(rows.ratings)

    return HoldoutErrors(
        user_ids=rows.users,
        candidate=error(candidate),
        champion=error(champion) if champion else None,
        baselines={name: error(model) for name, model in baselines.items()},
        user_ratings=counts_among(rows.users, train.users),
        movie_ratings=counts_among(rows.movies, train.movies),
        movie_ids=rows.movies,
    )


def _gate_result(
    verdict: Verdict, evaluation: Evaluation, baselines: dict[str, Evaluation], model: Recommender
) -> model_registry.GateResult:
    metrics: dict[str, Any] = {**evaluation.summary(), "baselines": {n: e.summary() for n, e in baselines.items()}}
    return model_registry.GateResult(
        rmse=evaluation.rmse,
        mae=evaluation.mae,
        precision_at_10=evaluation.precision_at_10,
        notes=f"{model.method}; {verdict.reason}",
        metrics=metrics,
        evidence=verdict.as_dict(),
    )
