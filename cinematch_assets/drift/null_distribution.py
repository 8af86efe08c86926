"""The null distribution of the drift statistics: their scores without drift, by resampling whole users.

Ratings of one user are correlated, so the scores of forty users with fifty ratings each vary far more than those of two
thousand users with one. Users are therefore resampled whole from the baseline, at the batch's size.

Here: the resampling, and the percentile of each score. Not here: the scores of a batch (``drift.alerts``,
``drift.statistics``), the decision (``retraining``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.drift.histogram import RATING_VALUES
from cinematch_assets.drift.statistics import NothingToCompareError
from cinematch_assets.ids import distinct, positions
from cinematch_assets.values import SEED

PERCENTILE = 99.0
RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class NullDistribution:
    """The 99th percentiles of scores without drift, by ``feature_name``: one batch in a hundred exceeds each."""

    upper_bounds: Mapping[str, float]
    percentile: float
    resamples: int
    batch_users: int
    batch_rows: int

    def __or__(self, other: "NullDistribution") -> "NullDistribution":
        """The bounds of both, which are of the same batch."""
        return NullDistribution(
            {**self.upper_bounds, **other.upper_bounds},
            self.percentile,
            self.resamples,
            self.batch_users,
            self.batch_rows,
        )

    def as_metadata(self) -> dict[str, Any]:
        """The values for the asset's page and the decision's row."""
        return {
            "percentile": self.percentile,
            "resamples": self.resamples,
            "batch_users": self.batch_users,
            "batch_rows": self.batch_rows,
            "bounds": dict(self.upper_bounds),
        }


@dataclass(frozen=True, slots=True, eq=False)
class UserErrors:
    """The champion's errors e = prediction - rating on its test split, summed per user; each array is (n_users,)."""

    rows: NDArray[np.int64]
    absolute: NDArray[np.float64]  # Σ|e|
    squared: NDArray[np.float64]  # Σe²
    fourth: NDArray[np.float64]  # Σe⁴, for the variance of the squared errors within users

    @classmethod
    def from_errors(cls, user_ids: NDArray[np.integer], errors: NDArray[np.floating]) -> "UserErrors":
        """From the user and the error of each row, (n,), in any order."""
        user = positions(user_ids, distinct(user_ids))[0]
        exact = np.asarray(errors, dtype=np.float64)
        sums = [np.bincount(user, weights=np.abs(exact) ** power).astype(np.float64) for power in (1, 2, 4)]
        return cls(np.bincount(user).astype(np.int64), *sums)


def rating_null_distribution(
    baseline: NDArray[np.integer],
    batch_user_rows: NDArray[np.integer],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> NullDistribution:
    """The 99th percentiles of ``rating_mean``, ``rating_std`` and ``rating_distribution_ks`` without drift.

    Args:
        baseline: counts of ratings by user and value, (n_users, 10); of the whole baseline or a sample of users.
        batch_user_rows: number of ratings of each user of the batch, (n_batch_users,).
        resamples: number of simulated batches; ``_resampled_means`` describes how one is simulated.
        seed: of the resampling; equal inputs give equal bounds.

    Raises:
        NothingToCompareError: the baseline or the batch has no ratings.
    """
    rows = baseline.sum(axis=1)
    _require_ratings(rows, batch_user_rows)
    shares = _per_row(baseline, rows)
    within = np.diag(np.average(shares, axis=0, weights=rows)) - (shares * rows[:, None]).T @ shares / rows.sum()
    old, new = _resampled_means(
        rows=rows,
        sums=baseline.astype(np.float64),
        within=within,
        batch=batch_user_rows,
        resamples=resamples,
        seed=seed,
    )
    return _upper_bounds(
        {
            "rating_mean": np.abs(_excess(old @ RATING_VALUES, new @ RATING_VALUES)),
            "rating_std": np.abs(_excess(_std(old), _std(new))),
            "rating_distribution_ks": np.abs(np.cumsum(new - old, axis=1)).max(axis=1),
        },
        batch_user_rows,
    )


def model_null_distribution(
    test: UserErrors, batch_user_rows: NDArray[np.integer], *, resamples: int = RESAMPLES, seed: int = SEED
) -> NullDistribution:
    """The 99th percentiles of ``model_rmse`` and ``model_mae`` for batches as hard to predict as the test split.

    Arguments and errors as in ``rating_null_distribution``; the baseline is the champion's errors on its test split.
    """
    _require_ratings(test.rows, batch_user_rows)
    sums = np.column_stack([test.squared, test.absolute])
    squares = np.array([test.fourth.sum(), test.squared.sum()])
    between = np.average(_per_row(sums, test.rows) ** 2, axis=0, weights=test.rows)
    within = np.diag(np.maximum(squares / test.rows.sum() - between, 0.0))
    old, new = _resampled_means(
        rows=test.rows, sums=sums, within=within, batch=batch_user_rows, resamples=resamples, seed=seed
    )
    rmse = np.sqrt(np.maximum(new[:, 0], 0.0))
    return _upper_bounds(
        {"model_rmse": _excess(np.sqrt(old[0]), rmse), "model_mae": _excess(old[1], new[:, 1])}, batch_user_rows
    )


def _require_ratings(baseline_rows: NDArray[np.integer], batch_rows: NDArray[np.integer]) -> None:
    if baseline_rows.sum() == 0 or batch_rows.sum() == 0:
        raise NothingToCompareError("the null distribution needs ratings in both the baseline and the batch")


def _resampled_means(
    *,
    rows: NDArray[np.integer],
    sums: NDArray[np.float64],
    within: NDArray[np.float64],
    batch: NDArray[np.integer],
    resamples: int,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per-row means of the baseline, (k,), and of ``resamples`` batches simulated without drift, (resamples, k).

    Each user of the batch keeps their number of ratings m and gets the mean of a baseline user, drawn with a
    probability proportional to that user's number of ratings n, so that simulated batches centre on the baseline. Sums
    of m of n ratings vary around m times the user's mean with m (1 - m/n) times the variance within users, which is
    added as normal noise, for all users at once. The baseline's own sampling error is left out; it matters only for a
    batch of as many users as the baseline has.

    Args:
        rows: ratings of each baseline user, (n_users,).
        sums: sums of the k values over these ratings, (n_users, k).
        within: covariance of the k values within users, (k, k).
        batch: ratings of each user of the batch, (n_batch_users,).
        resamples: number of simulated batches.
        seed: of the resampling.
    """
    total = int(rows.sum())
    random = np.random.default_rng(seed)
    own_means = _per_row(sums, rows)
    owner = np.repeat(np.arange(len(rows), dtype=np.int32), rows)  # the user behind each row of the baseline
    size = batch.astype(np.float64)
    new = np.empty((resamples, sums.shape[1]))
    noise_rows = np.empty(resamples)
    for draw in range(resamples):
        user = owner[random.integers(0, total, len(batch))]
        new[draw] = size @ own_means[user]
        noise_rows[draw] = size @ np.maximum(1.0 - size / rows[user], 0.0)
    new += _normal(random, within, resamples) * np.sqrt(noise_rows)[:, None]
    return sums.sum(axis=0) / total, new / size.sum()


def _per_row(sums: NDArray[Any], rows: NDArray[np.integer]) -> NDArray[np.float64]:
    """Each user's sums by their number of rows; zeros for a user without rows, who is never drawn."""
    means: NDArray[np.float64] = sums / np.maximum(rows, 1)[:, None]
    return means


def _normal(random: np.random.Generator, covariance: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
    """Centred normal vectors, (draws, k); the covariance may be singular, as it is for shares that add up to one."""
    variances, axes = np.linalg.eigh(covariance)
    scaled = axes * np.sqrt(np.maximum(variances, 0.0))
    vectors: NDArray[np.float64] = random.standard_normal((draws, len(covariance))) @ scaled.T
    return vectors


def _excess(old: Any, new: NDArray[np.float64]) -> NDArray[np.float64]:
    """``new / old - 1``, not finite where the old figure is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = new / old - 1
    return ratio


def _std(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard deviation of ratings with these shares of the ten values, along the last axis."""
    deviation: NDArray[np.float64] = np.sqrt(np.maximum(shares @ RATING_VALUES**2 - (shares @ RATING_VALUES) ** 2, 0.0))
    return deviation


def _upper_bounds(scores: Mapping[str, NDArray[np.float64]], batch_user_rows: NDArray[np.integer]) -> NullDistribution:
    """Percentiles of the scores; an undefined score (the baseline's deviation is 0) has no bound, and no alert."""
    bounds = {
        name: float(np.percentile(values, PERCENTILE, method="higher"))
        for name, values in scores.items()
        if np.isfinite(values).all()
    }
    return NullDistribution(
        bounds, PERCENTILE, len(next(iter(scores.values()))), len(batch_user_rows), int(batch_user_rows.sum())
    )
