"""Whether a candidate may serve: the gate before promotion, pure and with its evidence.

Here: which rows of a batch judge instead of teach, the paired comparison over users, the verdict. Not here: models and
their errors (``recommender``), the swap and the merge (``warehouse``), when to train at all (``retraining``).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError
from cinematch_assets.metrics import rmse

SEED = 20_260_101
MOST_BLOCKS = 5_000


class NoYardstickError(CinematchError):
    """There is nothing to judge a candidate by."""


def holdout_newest(
    timestamps: NDArray[np.integer],
    user_ids: NDArray[np.integer],
    movie_ids: NDArray[np.integer],
    *,
    share: float = 0.2,
) -> NDArray[np.bool_]:
    """Which rows of one batch judge the candidate instead of teaching it: the newest ``share`` of them, rounded up.

    Equal times are ordered by user and movie, so the answer does not depend on the rows' order. A batch of one row
    holds nothing out.
    """
    held = np.zeros(len(timestamps), dtype=np.bool_)
    number = min(int(np.ceil(len(timestamps) * share - 1e-9)), len(timestamps) - 1)
    if number > 0:
        held[np.lexsort((movie_ids, user_ids, timestamps))[-number:]] = True
    return held


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """How sure the gate has to be; ``docs/decisions`` holds what these defaults find and let pass."""

    allowed_loss: float = 0.02
    """RMSE that a candidate may lose on the test split, as a share: drifted data may rightly cost old data a little."""

    confidence: float = 0.95
    """Of the two-sided interval: a candidate is refused as worse when the whole interval lies above zero."""

    fewest_users: int = 30
    """Users below which new rows are no judge: percentile intervals over fewer units are too narrow. The candidate then
    has to be no worse on the test split, without the allowed loss."""

    resamples: int = 1_000
    cold_user_ratings: int = 5
    """A user with at most so many training ratings belongs to the slice of cold users."""


@dataclass(frozen=True, slots=True, eq=False)
class HoldoutErrors:
    """Errors (prediction - rating, in stars) of all contenders on the same rows; every array has one value a row."""

    user_ids: NDArray[np.integer]
    candidate: NDArray[np.floating]
    champion: NDArray[np.floating] | None = None
    baselines: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    user_ratings: NDArray[np.integer] | None = None  # training ratings of the row's user, for the slice of cold users
    movie_ratings: NDArray[np.integer] | None = None  # training ratings of the row's movie: popular and tail movies
    movie_ids: NDArray[np.integer] | None = None  # with movie_ratings: each movie counts once when popularity is ranked


@dataclass(frozen=True, slots=True)
class Slice:
    """RMSE of both on some of the rows."""

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
class Verdict:
    """What the gate said, with all that it looked at."""

    promoted: bool
    reason: str
    candidate_rmse: float | None  # on the test split; None where a prediction was no number
    baselines: Mapping[str, float]  # RMSE on the test split
    test: Comparison | None  # None for a first model
    new: Comparison | None
    policy: GatePolicy

    def as_dict(self) -> dict[str, Any]:
        """The evidence as JSON-able values, to be stored with the version."""
        return asdict(self)


def gate(
    test: HoldoutErrors,
    new: HoldoutErrors | None = None,
    policy: GatePolicy | None = None,
    *,
    alone: str = "first model",
) -> Verdict:
    """May the candidate serve? Refused on the first of these that fails.

    Every prediction is a number. On the test split the candidate beats every baseline given, and loses at most
    ``allowed_loss`` to the champion. On the new rows a paired bootstrap over users does not show it worse than the
    champion; where these have too few users, it is not shown worse on the test split. Without a champion the baselines
    alone decide.

    Args:
        test: errors on the test split, with those of at least one baseline where there is no champion.
        new: errors on the held-out newest rows of the waiting batches; None where nothing waits.
        policy: how sure to be.
        alone: why there is no champion, where there is none; the reason of a promotion begins with it.

    Raises:
        NoYardstickError: neither a champion nor a baseline, or no rows to measure on.
    """
    rule = policy or GatePolicy()
    if len(test.candidate) == 0 or (test.champion is None and not test.baselines):
        raise NoYardstickError(
            "a candidate is judged on test rows against a champion or a baseline, and none was given"
        )
    unusable = _not_numbers(test, "test") or (_not_numbers(new, "new") if new is not None else None)
    if unusable:
        return Verdict(False, unusable, None, {}, None, None, rule)
    test_rmse = rmse(test.candidate)
    baselines = {name: rmse(errors) for name, errors in test.baselines.items()}
    on_test = compare(test, rule)
    on_new = compare(new, rule) if new is not None else None
    refusal = _loses_to_baseline(test_rmse, baselines) or _loses_to_champion(on_test, on_new, rule)
    reason = refusal or _why_promoted(test_rmse, baselines, on_test, on_new, rule, alone)
    return Verdict(refusal is None, reason, test_rmse, baselines, on_test, on_new, rule)


def compare(rows: HoldoutErrors, policy: GatePolicy) -> Comparison | None:
    """Candidate against champion with the interval of their difference; None without a champion or without rows.

    The interval is the percentile bootstrap of the ratio of the two RMSEs, drawing users, not rows, and both models'
    errors of a user together: what makes a user hard for both cancels out. Equal inputs in any order of rows give equal
    intervals.
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
    """Users pooled at random into at most 5,000 blocks: as many users vary as much, and resampling stays fast."""
    if len(sums) <= MOST_BLOCKS:
        return sums
    block = np.random.default_rng(SEED).permutation(len(sums)) % MOST_BLOCKS
    return np.column_stack([np.bincount(block, weights=column) for column in sums.T])


def _bootstrap(sums: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    """The difference in imagined sets of users: drawn with replacement, as many as there are."""
    random = np.random.default_rng(SEED)
    drawn = np.array([sums[random.integers(0, len(sums), len(sums))].sum(axis=0) for _ in range(resamples)])
    return np.array([_ratio(*pair) for pair in np.sqrt(drawn).tolist()]) - 1


def _ratio(candidate: float, champion: float) -> float:
    """Against a champion without any error, a candidate is as good or infinitely worse; kept finite for JSON."""
    if champion > 0:
        return candidate / champion
    return 1.0 if candidate == 0 else 1e9


def _slices(rows: HoldoutErrors, champion: NDArray[np.floating], policy: GatePolicy) -> dict[str, Slice]:
    """Where the two differ: cold users, the most rated tenth of the movies, the less rated half of them."""
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


def _not_numbers(rows: HoldoutErrors, name: str) -> str | None:
    wrong = int((~np.isfinite(rows.candidate)).sum())
    return f"refused: the candidate predicts no number for {wrong:,} of the {name} rows" if wrong else None


def _loses_to_baseline(rmse: float, baselines: Mapping[str, float]) -> str | None:
    lost = [f"{name} ({figure:.4f})" for name, figure in baselines.items() if rmse >= figure]
    return f"refused: test RMSE {rmse:.4f} does not beat {', '.join(lost)}" if lost else None


def _loses_to_champion(test: Comparison | None, new: Comparison | None, rule: GatePolicy) -> str | None:
    if test is None:
        return None
    if test.difference > rule.allowed_loss:
        return f"refused: {_said(test, 'test rows')}, and {rule.allowed_loss:.1%} is allowed"
    if new is None or new.users < rule.fewest_users:
        return f"refused: {_said(test, 'test rows')}, and {_few(new)}" if test.low > 0 else None
    return f"refused: {_said(new, 'new rows')}" if new.low > 0 else None


def _why_promoted(
    rmse: float,
    baselines: Mapping[str, float],
    test: Comparison | None,
    new: Comparison | None,
    rule: GatePolicy,
    alone: str,
) -> str:
    if test is None:
        beaten = ", ".join(f"{name} ({figure:.4f})" for name, figure in baselines.items())
        return f"{alone}: test RMSE {rmse:.4f} beats {beaten}"
    gated = _few(new) if new is None or new.users < rule.fewest_users else _said(new, "new rows")
    return f"no worse: {gated}; {_said(test, 'test rows')}"


def _said(comparison: Comparison, where: str) -> str:
    interval = f"{comparison.low:+.2%} to {comparison.high:+.2%}"
    return (
        f"RMSE {comparison.candidate_rmse:.4f} against {comparison.champion_rmse:.4f}, {comparison.difference:+.2%} "
        f"({interval}) on {comparison.rows:,} {where} of {comparison.users:,} users"
    )


def _few(new: Comparison | None) -> str:
    return "no new rows to judge by" if new is None else f"new rows of {new.users} users only"
