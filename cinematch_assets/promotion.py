"""The promotion gate: whether a candidate may replace the champion, with the evidence.

Here: which rows of a batch are held out, the paired comparison over users, the decision. Not here: models and their
errors (``recommender``), the swap and the merge (``warehouse.champion``), when to train (``retraining``).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError
from cinematch_assets.metrics import rmse
from cinematch_assets.values import SEED

MAX_BLOCKS = 5_000


class NoComparisonError(CinematchError):
    """A candidate has neither test rows nor a champion or baseline to be compared with."""


def holdout_newest(
    timestamps: NDArray[np.integer],
    user_ids: NDArray[np.integer],
    movie_ids: NDArray[np.integer],
    *,
    share: float = 0.2,
) -> NDArray[np.bool_]:
    """Select the newest ``share`` of a batch's rows, rounded up, as the holdout: a mask of shape (rows,).

    Equal times are ordered by user and movie, so the mask does not depend on the order of the rows. Of a batch with one
    row nothing is held out.
    """
    holdout = np.zeros(len(timestamps), dtype=np.bool_)
    number = min(int(np.ceil(len(timestamps) * share - 1e-9)), len(timestamps) - 1)
    if number > 0:
        holdout[np.lexsort((movie_ids, user_ids, timestamps))[-number:]] = True
    return holdout


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """Thresholds of the promotion gate; decision 42 has the measurements behind the defaults."""

    allowed_loss: float = 0.02
    """Largest relative increase of RMSE on the test split; above zero, since learning drifted data may cost a little on
    older data."""

    confidence: float = 0.95
    """Of the two-sided interval: a candidate is rejected as worse when the whole interval lies above zero."""

    min_users: int = 30
    """Users that new rows need to be compared on: percentile intervals over fewer units are too narrow. With fewer, the
    candidate must be no worse on the test split, without the allowed loss."""

    resamples: int = 1_000
    cold_user_ratings: int = 5
    """Users with at most this many training ratings form the slice of cold users."""


@dataclass(frozen=True, slots=True, eq=False)
class HoldoutErrors:
    """Errors (predicted - actual rating, in stars) of all models on the same rows; every array is (rows,)."""

    user_ids: NDArray[np.integer]
    candidate: NDArray[np.floating]
    champion: NDArray[np.floating] | None = None
    baselines: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    user_ratings: NDArray[np.integer] | None = None  # training ratings of the row's user, for the slice of cold users
    movie_ratings: NDArray[np.integer] | None = None  # training ratings of the row's movie: popular and tail movies
    movie_ids: NDArray[np.integer] | None = None  # with movie_ratings: each movie counts once in popularity quantiles


@dataclass(frozen=True, slots=True)
class Slice:
    """RMSE of candidate and champion on some of the rows."""

    rows: int
    candidate_rmse: float
    champion_rmse: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate against champion on one set of rows."""

    rows: int
    users: int
    candidate_rmse: float
    champion_rmse: float
    difference: float  # candidate_rmse / champion_rmse - 1: positive is worse
    low: float  # the interval of the difference, by paired bootstrap over users
    high: float
    slices: Mapping[str, Slice]


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Promoted or rejected, the reason, and the figures it rests on."""

    promoted: bool
    reason: str
    candidate_rmse: float | None  # on the test split; None when a prediction is not finite
    baselines: Mapping[str, float]  # RMSE on the test split
    test: Comparison | None  # None for a first model
    new: Comparison | None
    policy: GatePolicy

    def as_metadata(self) -> dict[str, Any]:
        """Return the evidence as JSON-able values, stored with the version and shown in Dagster."""
        return asdict(self)


def gate(
    test: HoldoutErrors,
    new: HoldoutErrors | None = None,
    policy: GatePolicy | None = None,
    *,
    no_champion: str = "first model",
) -> GateDecision:
    """Decide whether the candidate may replace the champion; the first condition that fails rejects it.

    Every prediction is finite. On the test split the candidate beats every baseline given, and its RMSE is at most
    ``allowed_loss`` above the champion's. On the new rows a paired bootstrap over users does not show it worse than the
    champion; when these have too few users, it is not shown worse on the test split. Without a champion only the
    baselines count.

    Args:
        test: errors on the test split, with those of at least one baseline when there is no champion.
        new: errors on the holdout of the waiting batches; None when no batch waits.
        policy: thresholds.
        no_champion: why there is no champion to compare with; used in the reason of a promotion without one.

    Raises:
        NoComparisonError: neither a champion nor a baseline, or no test rows.
    """
    policy = policy or GatePolicy()
    if len(test.candidate) == 0 or (test.champion is None and not test.baselines):
        raise NoComparisonError("the gate needs test rows, and a champion or a baseline to compare the candidate with")
    unusable = _not_finite(test, "test") or (_not_finite(new, "new") if new is not None else None)
    if unusable:
        return GateDecision(False, unusable, None, {}, None, None, policy)
    test_rmse = rmse(test.candidate)
    baselines = {name: rmse(errors) for name, errors in test.baselines.items()}
    on_test = compare(test, policy)
    on_new = compare(new, policy) if new is not None else None
    rejection = _loses_to_baseline(test_rmse, baselines) or _loses_to_champion(on_test, on_new, policy)
    reason = rejection or _why_promoted(test_rmse, baselines, on_test, on_new, policy, no_champion)
    return GateDecision(rejection is None, reason, test_rmse, baselines, on_test, on_new, policy)


def compare(rows: HoldoutErrors, policy: GatePolicy) -> Comparison | None:
    """Compare candidate and champion, with an interval of their difference; None without a champion or without rows.

    The interval is the percentile bootstrap of the ratio of the two RMSEs. Users are drawn, not rows, and the errors of
    both models together: what makes a user hard to predict for both cancels out. The order of rows does not matter.
    """
    if rows.champion is None or len(rows.candidate) == 0:
        return None
    squares = np.column_stack([rows.candidate, rows.champion]).astype(np.float64) ** 2
    users, user = np.unique(rows.user_ids, return_inverse=True)
    order = np.lexsort((squares[:, 1], squares[:, 0], user))  # sums of floats depend on their order
    sums = _blocks(np.column_stack([np.bincount(user[order], weights=column[order]) for column in squares.T]))
    low, high = np.quantile(
        _bootstrap(sums, policy.resamples), [(1 - policy.confidence) / 2, (1 + policy.confidence) / 2]
    )
    candidate_rmse, champion_rmse = np.sqrt(sums.sum(axis=0) / len(squares)).tolist()
    return Comparison(
        rows=len(squares),
        users=len(users),
        candidate_rmse=candidate_rmse,
        champion_rmse=champion_rmse,
        difference=_ratio(candidate_rmse, champion_rmse) - 1,
        low=float(low),
        high=float(high),
        slices=_slices(rows, rows.champion, policy),
    )


def _blocks(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pool users at random into at most ``MAX_BLOCKS`` blocks: resampling stays fast and the variance the same."""
    if len(sums) <= MAX_BLOCKS:
        return sums
    block = np.random.default_rng(SEED).permutation(len(sums)) % MAX_BLOCKS
    return np.column_stack([np.bincount(block, weights=column) for column in sums.T])


def _bootstrap(sums: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    """Relative differences of RMSE in resampled sets of users, drawn with replacement; ``sums`` is (users, 2)."""
    random = np.random.default_rng(SEED)
    drawn = np.array([sums[random.integers(0, len(sums), len(sums))].sum(axis=0) for _ in range(resamples)])
    return np.array([_ratio(*pair) for pair in np.sqrt(drawn).tolist()]) - 1


def _ratio(candidate: float, champion: float) -> float:
    """Ratio of two RMSEs; finite also against a champion without error, because JSON has no infinity."""
    if champion > 0:
        return candidate / champion
    return 1.0 if candidate == 0 else 1e9


def _slices(rows: HoldoutErrors, champion: NDArray[np.floating], policy: GatePolicy) -> dict[str, Slice]:
    """RMSE for cold users, for the most rated tenth of the movies and for the less rated half."""
    masks: dict[str, NDArray[np.bool_]] = {}
    if rows.user_ratings is not None:
        masks["cold_users"] = rows.user_ratings <= policy.cold_user_ratings
    if rows.movie_ratings is not None and rows.movie_ids is not None:
        _, first = np.unique(rows.movie_ids, return_index=True)
        median, top = np.quantile(rows.movie_ratings[first], [0.5, 0.9])
        masks["popular_movies"] = rows.movie_ratings >= top
        masks["tail_movies"] = rows.movie_ratings <= median
    return {
        name: Slice(int(mask.sum()), rmse(rows.candidate[mask]), rmse(champion[mask]))
        for name, mask in masks.items()
        if mask.any()
    }


def _not_finite(rows: HoldoutErrors, name: str) -> str | None:
    wrong = int((~np.isfinite(rows.candidate)).sum())
    return f"rejected: the prediction is not a finite number for {wrong:,} of the {name} rows" if wrong else None


def _loses_to_baseline(rmse: float, baselines: Mapping[str, float]) -> str | None:
    lost = [f"{name} ({figure:.4f})" for name, figure in baselines.items() if rmse >= figure]
    return f"rejected: test RMSE {rmse:.4f} does not beat {', '.join(lost)}" if lost else None


def _loses_to_champion(test: Comparison | None, new: Comparison | None, policy: GatePolicy) -> str | None:
    if test is None:
        return None
    if test.difference > policy.allowed_loss:
        return f"rejected: {_describe(test, 'test rows')}, and {policy.allowed_loss:.1%} is allowed"
    if new is None or new.users < policy.min_users:
        return f"rejected: {_describe(test, 'test rows')}, and {_too_few(new)}" if test.low > 0 else None
    return f"rejected: {_describe(new, 'new rows')}" if new.low > 0 else None


def _why_promoted(
    rmse: float,
    baselines: Mapping[str, float],
    test: Comparison | None,
    new: Comparison | None,
    policy: GatePolicy,
    no_champion: str,
) -> str:
    if test is None:
        beaten = ", ".join(f"{name} ({figure:.4f})" for name, figure in baselines.items())
        return f"{no_champion}: test RMSE {rmse:.4f} beats {beaten}"
    on_new = _too_few(new) if new is None or new.users < policy.min_users else _describe(new, "new rows")
    return f"no worse: {on_new}; {_describe(test, 'test rows')}"


def _describe(comparison: Comparison, where: str) -> str:
    interval = f"{comparison.low:+.2%} to {comparison.high:+.2%}"
    return (
        f"RMSE {comparison.candidate_rmse:.4f} against {comparison.champion_rmse:.4f}, {comparison.difference:+.2%} "
        f"({interval}) on {comparison.rows:,} {where} of {comparison.users:,} users"
    )


def _too_few(new: Comparison | None) -> str:
    return "no new rows to compare on" if new is None else f"new rows of {new.users} users only"
