"""Rebuild a version from landed contents and compare it with the registry.

Here: the comparison, and the first difference in one sentence. Not here: rebuilding (``rebuild_version``), what is
recorded at training (``trained_from``).
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.models.artifacts import FormatStatus, format_message, load_model
from cinematch_assets.pipeline.models.rebuild_version import (
    CannotRebuildError,
    TrainingInputs,
    collect_inputs,
    fit_inputs,
)
from cinematch_assets.pipeline.models.trained_from import TrainedFrom, hash_catalogue, hash_ratings, hash_settings
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.recommender.artifact import ArtifactRefusedError
from cinematch_assets.recommender.config import RecommenderConfig, RecommenderConfigError
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.environment import computed_by
from cinematch_assets.recommender.model import Recommender
from cinematch_assets.recommender.progress import Progress
from cinematch_assets.storage.base import MissingObjectError
from cinematch_assets.values import SEED
from cinematch_assets.warehouse.erasures import find_version_erasure
from cinematch_assets.warehouse.model_registry import ModelVersion, read_model_version

MAX_RATING_DIFFERENCE = 0.05
"""Stars that two predictions of a version computed on different processors may differ by."""
MIN_SAME_LISTED = 0.95
"""Share of listed movies that such versions have in common."""
_MAX_PAIRS = 20_000
_MAX_USERS = 500
_LIST_LENGTH = 10
_RELEASE = ("release", "code")
_LOG = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What came of rebuilding a version."""

    EQUAL = "equal"
    """Byte for byte the registered artifact."""
    AGREES = "agrees"
    """Computed on another processor or by other libraries, and within the tolerance."""
    DIFFERS = "differs"
    NOT_REBUILT = "not rebuilt"
    """Something that the training needs is missing."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the rebuilt model and the stored one agree."""

    pairs: int
    largest_difference: float
    """Of predicted ratings, in stars."""
    users: int
    same_listed: float
    """Share of the movies in the lists of ten that both have."""

    @property
    def is_within_tolerance(self) -> bool:
        """Whether predictions and lists agree as well as is promised for another processor."""
        return self.largest_difference <= MAX_RATING_DIFFERENCE and self.same_listed >= MIN_SAME_LISTED

    def describe(self) -> str:
        """Return both figures beside what is promised."""
        return (
            f"predictions differ by at most {self.largest_difference:.4f} stars (promised: {MAX_RATING_DIFFERENCE}), "
            f"{self.same_listed:.1%} of listed movies are the same (promised: {MIN_SAME_LISTED:.0%})"
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome for one version, with the first difference, or what was compared, in one sentence."""

    version: str
    outcome: Outcome
    sentence: str
    registered_sha256: str
    rebuilt_sha256: str | None = None
    agreement: Agreement | None = None

    @property
    def is_passed(self) -> bool:
        """Whether the version is what its contents give."""
        return self.outcome in {Outcome.EQUAL, Outcome.AGREES}

    def as_metadata(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self)


def verify_version(platform: Platform, version: str, progress: Progress | None = None) -> Verification:
    """Train a version once more on what the store has, and compare the bytes with the registered hash."""
    row = platform.warehouse.run(read_model_version, version)
    try:
        trained = _trained_from(platform, row)
        with log_phase(_LOG, f"read what {version} was trained from"):
            inputs = collect_inputs(platform, trained)
    except CannotRebuildError as fault:
        return Verification(version, Outcome.NOT_REBUILT, str(fault), row.artifact_sha256)
    if difference := next(_input_differences(row, trained, inputs), None):
        return Verification(version, Outcome.DIFFERS, difference, row.artifact_sha256)
    try:
        with log_phase(_LOG, f"fit {version} again on {count(len(inputs.train), 'rating')}"):
            rebuilt = fit_inputs(inputs, row.config, row.seed, progress, platform.residual_trainer)
    except RecommenderConfigError as fault:
        return Verification(
            version,
            Outcome.NOT_REBUILT,
            f"it was trained with settings of another release: {fault}",
            row.artifact_sha256,
        )
    if rebuilt.sha256 == row.artifact_sha256:
        names = f"{count(len(inputs.train), 'rating')} of {count(len(inputs.rows), 'table')}"
        sentence = f"rebuilt from landed contents ({names}), byte for byte the registered artifact"
        return Verification(version, Outcome.EQUAL, sentence, row.artifact_sha256, rebuilt.sha256)
    outcome, sentence, agreement = _explain(platform, row, rebuilt.model, inputs.train)
    return Verification(version, outcome, sentence, row.artifact_sha256, rebuilt.sha256, agreement)


def _trained_from(platform: Platform, row: ModelVersion) -> TrainedFrom:
    erased_at = platform.warehouse.run(find_version_erasure, row.version)
    if erased_at is not None:
        raise CannotRebuildError(f"it knew a person who was erased on {erased_at:%Y-%m-%d}: their rows are gone")
    if FormatStatus.of(row) is not FormatStatus.READABLE:
        raise CannotRebuildError(f"another release made it: {format_message(row)}")
    if row.trained_from is None:
        raise CannotRebuildError("it was trained by a release that did not record what a version is trained from")
    return TrainedFrom.from_dict(row.trained_from)


def _input_differences(row: ModelVersion, trained: TrainedFrom, inputs: TrainingInputs) -> Iterator[str]:
    """Yield how settings, rows and catalogue differ from the recorded ones."""
    if hash_settings(row.config, row.seed) != trained.settings_md5:
        yield "the registry has other settings (config or seed) for it than it was trained with"
    for table in sorted({*trained.rows, *inputs.rows}):
        then, now = trained.rows.get(table, 0), inputs.rows.get(table, 0)
        if then != now:
            yield (
                f"{table} gives {now:,} training rows, and it was trained on {then:,}: they are read or split by other "
                "rules now, or were loaded by a release that did not record the movies they were checked against"
            )
    if hash_ratings(inputs.train) != trained.ratings_md5:
        yield f"its {len(inputs.train):,} training rows are others, although each table gives the same number of them"
    if hash_catalogue(inputs.catalogue) != trained.catalogue_md5:
        yield (
            f"its catalogue of {len(inputs.catalogue):,} movies has other ids, titles, genres or features: movies were "
            "changed without a file, or loaded by a release that did not record it"
        )


def _explain(
    platform: Platform, row: ModelVersion, rebuilt: Recommender, train: Ratings
) -> tuple[Outcome, str, Agreement | None]:
    """Say why equal inputs gave other bytes; what another processor or library changes is measured."""
    if not _is_exact(row, train):
        try:
            agreement = measure_agreement(rebuilt, load_model(platform, row), train)
        except (MissingObjectError, ArtifactRefusedError) as fault:
            return Outcome.DIFFERS, f"the stored artifact cannot be compared: {fault}", None
        outcome = Outcome.AGREES if agreement.is_within_tolerance else Outcome.DIFFERS
        return (
            outcome,
            f"Spark adds up {count(len(train), 'rating')} in no fixed order; {agreement.describe()}",
            agreement,
        )
    environment = _environment_differences(row.computed_by or {}, computed_by() | dict(rebuilt.computed_by))
    if not environment:
        why = "contents, settings, release, libraries and processor are the same, and the bytes differ: the registered"
        return Outcome.DIFFERS, f"{why} hash is not of this training, or training is not deterministic", None
    name, then, now = next(iter(environment))
    what = f"computed by {name} {then}, here {now}"
    try:
        agreement = measure_agreement(rebuilt, load_model(platform, row), train)
    except (MissingObjectError, ArtifactRefusedError) as fault:
        return Outcome.DIFFERS, f"{what}; the stored artifact cannot be compared: {fault}", None
    if name in _RELEASE or not agreement.is_within_tolerance:
        return Outcome.DIFFERS, f"{what}; {agreement.describe()}", agreement
    return Outcome.AGREES, f"{what}; {agreement.describe()}", agreement


def _is_exact(row: ModelVersion, train: Ratings) -> bool:
    """Return whether the same rows give the same bytes: on Spark they do up to a number of ratings."""
    config = RecommenderConfig.model_validate(row.config)
    return config.method != "spark_als" or config.spark_als.is_ordered(len(train))


def _environment_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (name, recorded value, present value) of each difference; the release comes first, then by name."""
    names = [*_RELEASE, *sorted({*then, *now} - {*_RELEASE})]
    return [(name, _text(then.get(name)), _text(now.get(name))) for name in names if then.get(name) != now.get(name)]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(" ".join(str(each[name]) for name in sorted(each)) for each in value)
    return "unrecorded" if value is None else str(value)


def measure_agreement(one: Recommender, other: Recommender, train: Ratings) -> Agreement:
    """Compare predictions of rated and of random pairs, and the lists of some users, of two models of ``train``."""
    rng = np.random.default_rng(SEED)
    rows = rng.permutation(len(train))[:_MAX_PAIRS]
    users = np.concatenate([train.users[rows], rng.choice(train.users, len(rows))])
    movies = np.concatenate([train.movies[rows], rng.choice(one.movies, len(rows))])
    difference = np.abs(one.predict(users, movies).ratings - other.predict(users, movies).ratings)
    asked = rng.permutation(np.unique(train.users))[:_MAX_USERS]
    lists = [model.recommend(asked, _LIST_LENGTH, seen=train) for model in (one, other)]
    first, second = ({*zip(each.users.tolist(), each.movies.tolist(), strict=True)} for each in lists)
    return Agreement(
        pairs=len(users),
        largest_difference=float(difference.max(initial=0.0)),
        users=len(asked),
        same_listed=len(first & second) / max(len(first), len(second), 1),
    )
