"""Measure a candidate and the champion on the same rows, then promote it, reject it or let it await approval.

Here: which model is measured on which rows, the refit before a promotion. Not here: the rule (``promotion.gate``), the
swap (``warehouse.champion``), the wait for a person (``warehouse.approval``).
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError
from cinematch_assets.ids import counts_among
from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.models.artifacts import (
    FormatStatus,
    format_message,
    keep_model,
    load_model,
    read_loaded_catalogue,
)
from cinematch_assets.pipeline.models.train_candidate import TrainingRows, split_rows
from cinematch_assets.pipeline.models.trained_from import describe_training
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.promotion import (
    BestChampion,
    GateDecision,
    GatePolicy,
    HoldoutErrors,
    HoldoutRankings,
    gate,
)
from cinematch_assets.recommender.baselines import bias_only, global_mean, popularity
from cinematch_assets.recommender.config import RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.evaluation import Evaluation, evaluate, ndcg_of_users
from cinematch_assets.recommender.model import Recommender, fit_recommender
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.recommender.protocol import Model
from cinematch_assets.warehouse import model_registry
from cinematch_assets.warehouse.approval import await_approval
from cinematch_assets.warehouse.champion import promote, read_champion, reject

FINGERPRINT_CHARACTERS = 16
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GatedCandidate:
    """The decision on a candidate, its figures and, when it was promoted, the batches that were merged."""

    version: str
    previous_champion: str | None
    decision: GateDecision
    evaluation: Evaluation
    baselines: dict[str, Evaluation]
    merged: tuple[str, ...]
    awaits_approval: bool = False
    """It passed, and a person decides: see ``CINEMATCH_PROMOTION``."""

    @property
    def is_promoted(self) -> bool:
        """Whether it is champion now."""
        return self.decision.promoted and not self.awaits_approval

    def as_metadata(self) -> dict[str, Any]:
        """Return the decision with its evidence, and the figures of the candidate."""
        return {
            "version": self.version,
            "promoted": self.is_promoted,
            "reason": f"awaits approval; {self.decision.reason}" if self.awaits_approval else self.decision.reason,
            "champion_before": self.previous_champion or "none",
            "merged_batches": list(self.merged),
            "evidence": self.decision.as_metadata(),
            **self.evaluation.summary(),
        }


def gate_candidate(platform: Platform, version: str, progress: Progress | None = None) -> GatedCandidate:
    """Promote ``version``, reject it or let it await approval, and store the evidence with it.

    Raises:
        CinematchError: the version was decided on before, or it or the champion has an artifact format of another
            release.
    """
    with platform.warehouse.session() as session:
        row = session.run(model_registry.read_model_version, version)
        batches = tuple(session.run(model_registry.list_trained_batches, version))
        champion = session.run(read_champion)
    _require_comparable(row, champion)
    catalogue, movies_load = read_loaded_catalogue(platform)
    data = platform.warehouse.read_training_data()
    rows = split_rows(data, batches)
    candidate = load_model(platform, row)
    baselines = {model.method: model for model in _baselines(rows.train, catalogue)}
    with log_phase(_LOG, f"compare {version} with the champion"):
        decision = _decide(platform, rows, candidate, champion, baselines)
    awaits_approval = decision.promoted and platform.settings.promotion == "approve" and champion is not None
    outcome = "awaits approval" if awaits_approval else "promoted" if decision.promoted else "rejected"
    _LOG.info("%s %s: %s", version, outcome, decision.reason)
    with log_phase(_LOG, "measure the baselines"):
        measured = {name: evaluate(model, rows.train, rows.test, catalogue) for name, model in baselines.items()}
    previous = champion.version if champion else None
    if not decision.promoted:
        evaluation = evaluate(candidate, rows.train, rows.test, catalogue)
        platform.warehouse.run(reject, version, _gate_result(decision, evaluation, measured, candidate, rows.test))
        return GatedCandidate(version, previous, decision, evaluation, measured, ())
    config, seed = RecommenderConfig.model_validate(row.config), row.seed
    final, train = _refit(platform, candidate, rows, catalogue, config, seed, progress)
    trained_from = describe_training(
        data, batches, train, catalogue, movies_load=movies_load, config=config, seed=seed, is_held_out=False
    )
    evaluation = evaluate(final, train, rows.test, catalogue)
    decide: Callable[..., tuple[str, ...] | None] = (
        partial(await_approval, days=platform.settings.approval_days)
        if awaits_approval
        else partial(promote, merge=platform.settings.merge, by=platform.actor)
    )
    merged = platform.warehouse.run(
        decide,
        version,
        row.artifact if final is candidate else keep_model(platform, final),
        _gate_result(decision, evaluation, measured, final, rows.test),
        over=previous,
        data_size=len(train),
        trained_from=None if final is candidate else trained_from.to_dict(),
    )
    return GatedCandidate(version, previous, decision, evaluation, measured, merged or (), awaits_approval)


def _require_comparable(row: model_registry.ModelVersion, champion: model_registry.ModelVersion | None) -> None:
    if row.state != "candidate":
        raise CinematchError(f"{row.version} is {row.state} already: materialize recommender_model for a new candidate")
    if FormatStatus.of(row) is not FormatStatus.READABLE:
        raise CinematchError(f"{format_message(row)}: materialize recommender_model for a new one")
    if champion and FormatStatus.of(champion) is FormatStatus.NEWER:
        raise CinematchError(f"{row.version} cannot replace the champion: {format_message(champion)}")


def _decide(
    platform: Platform,
    rows: TrainingRows,
    candidate: Model,
    champion: model_registry.ModelVersion | None,
    baselines: dict[str, Model],
) -> GateDecision:
    """Compare on the test split with champion and baselines, on the holdout with the champion alone."""
    readable = champion is not None and FormatStatus.of(champion) is FormatStatus.READABLE
    model = load_model(platform, champion) if champion and readable else None
    best = None
    if champion and readable:
        best = _best_champion(platform.warehouse.run(model_registry.list_model_versions), champion, rows.test)
    return gate(
        _errors(rows.test, rows.train, candidate, model, baselines),
        _errors(rows.holdout, rows.train, candidate, model, {}) if len(rows.holdout) else None,
        GatePolicy(
            allowed_loss=platform.settings.max_test_rmse_loss,
            allowed_ranking_loss=platform.settings.max_test_ndcg_loss,
            max_total_loss=platform.settings.max_total_loss,
        ),
        no_champion=_why_no_champion(champion),
        test_ranking=compare_lists(rows.test, rows.train, candidate, model) if model else None,
        new_ranking=compare_lists(rows.holdout, rows.train, candidate, model) if model else None,
        best=best,
    )


def compare_lists(rows: Ratings, seen: Ratings, candidate: Model, champion: Model) -> HoldoutRankings:
    """nDCG@10 of both models on ``rows``, with the same ``seen`` movies left out, whatever each was trained on."""
    return HoldoutRankings(candidate=ndcg_of_users(candidate, seen, rows), champion=ndcg_of_users(champion, seen, rows))


def fingerprint(test: Ratings) -> str:
    """A hash of the rows of a test split: only figures of one split can be compared."""
    digest = hashlib.sha256()
    for column in (test.users, test.movies, test.ratings):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()[:FINGERPRINT_CHARACTERS]


def _best_champion(
    versions: list[model_registry.ModelVersion], champion: model_registry.ModelVersion, test: Ratings
) -> BestChampion | None:
    """The best stored figures of promoted versions on this very test split; None when there are none."""
    split = fingerprint(test)
    stored = {
        each.version: each.evidence
        for each in versions
        if each.state == "promoted" and each.evidence and each.evidence.get("test_split") == split
    }
    if not stored:
        return None
    by_rmse = min(stored, key=lambda version: (stored[version]["candidate_rmse"], version))
    levels = {version: float(evidence["ndcg_level"]) for version, evidence in stored.items()}
    by_level = max(levels, key=lambda version: (levels[version], version))
    return BestChampion(
        rmse=float(stored[by_rmse]["candidate_rmse"]),
        rmse_version=by_rmse,
        ndcg_level=levels[by_level],
        ndcg_version=by_level,
        champion_ndcg_level=levels.get(champion.version, 1.0),
    )


def _why_no_champion(champion: model_registry.ModelVersion | None) -> str:
    """Say why there is no champion to compare with; unused when there is one."""
    if champion is None:
        return "first model"
    named = f"the champion, {champion.version}, has format {champion.artifact_format}"
    return f"{named}, which this version cannot compare with"


def _refit(
    platform: Platform,
    candidate: Recommender,
    rows: TrainingRows,
    catalogue: Catalogue,
    config: RecommenderConfig,
    seed: int,
    progress: Progress | None,
) -> tuple[Recommender, Ratings]:
    """Fit the promoted model, as the candidate was, on the holdout too; without a holdout it is the candidate."""
    if len(rows.holdout) == 0:
        return candidate, rows.train
    train = rows.train_and_holdout.latest()
    with log_phase(_LOG, f"fit the promoted model on {count(len(train), 'rating')}"):
        model = fit_recommender(
            train,
            catalogue,
            config=config,
            seed=seed,
            progress=progress,
            residual_trainer=platform.residual_trainer,
        )
        return model, train


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
    decision: GateDecision,
    evaluation: Evaluation,
    baselines: dict[str, Evaluation],
    model: Recommender,
    test: Ratings,
) -> model_registry.GateResult:
    metrics: dict[str, Any] = {**evaluation.summary(), "baselines": {n: e.summary() for n, e in baselines.items()}}
    return model_registry.GateResult(
        rmse=evaluation.rmse,
        mae=evaluation.mae,
        precision_at_10=evaluation.precision_at_10,
        notes=f"{model.method}; {decision.reason}",
        metrics=metrics,
        evidence={**decision.as_metadata(), "test_split": fingerprint(test)},
    )
