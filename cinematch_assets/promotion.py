"""The promotion gate: whether a candidate may replace the champion, with the evidence.

Here: which rows of a batch are held out, the paired comparisons over users, the total loss, the decision. Not here:
models and their errors (``recommender``), the swap and the merge (``warehouse.champion``), when to train
(``retraining``).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError
from cinematch_assets.ids import distinct, positions
from cinematch_assets.metrics import rmse, round_to_sum
from cinematch_assets.plurals import count
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

    allowed_ranking_loss: float = 0.03
    """Largest relative decrease of nDCG@10 on the test split, where the interval shows it too: nDCG has more noise than
    RMSE, and an equal model would often be rejected by the figure alone."""

    max_total_loss: float = 0.03
    """Largest loss on the test split against the best champion so far, of RMSE and of nDCG@10: small losses add up."""

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


@dataclass(frozen=True, slots=True, eq=False)
class HoldoutRankings:
    """nDCG@10 of both models for the same users, with the same movies left out; every array is (users,)."""

    candidate: NDArray[np.floating]
    champion: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class BestChampion:
    """The best figures of the champions so far on this test split, each with the version that had it.

    nDCG depends on the movies that are left out, which differ from champion to champion, so ``ndcg_level`` is a product
    of paired ratios: 1 for the first champion, and for each next one its predecessor's times the ratio of the two.
    """

    rmse: float
    rmse_version: str
    ndcg_level: float
    ndcg_version: str
    champion_ndcg_level: float  # of the present champion


@dataclass(frozen=True, slots=True)
class RankingComparison:
    """nDCG@10 of candidate and champion over the same users."""

    users: int
    candidate_ndcg: float
    champion_ndcg: float
    difference: float  # candidate_ndcg / champion_ndcg - 1: negative is worse
    low: float  # the interval of the difference, by paired bootstrap over users
    high: float


@dataclass(frozen=True, slots=True)
class TotalLoss:
    """What the candidate loses on the test split against the best champions so far; negative is a gain."""

    rmse: float
    rmse_version: str
    ndcg: float | None  # None without a comparison of rankings
    ndcg_version: str


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
    test_ranking: RankingComparison | None = None
    new_ranking: RankingComparison | None = None
    total: TotalLoss | None = None
    ndcg_level: float = 1.0  # see ``BestChampion``

    def as_metadata(self) -> dict[str, Any]:
        """Return the evidence as JSON-able values, stored with the version and shown in Dagster."""
        return asdict(self)


def gate(
    test: HoldoutErrors,
    new: HoldoutErrors | None = None,
    policy: GatePolicy | None = None,
    *,
    no_champion: str = "first model",
    test_ranking: HoldoutRankings | None = None,
    new_ranking: HoldoutRankings | None = None,
    best: BestChampion | None = None,
) -> GateDecision:
    """Decide whether the candidate may replace the champion; the first condition that fails rejects it.

    Every prediction is finite. On the test split the candidate beats every baseline given, and its RMSE is at most
    ``allowed_loss`` above the champion's. On the new rows a paired bootstrap over users does not show it worse than the
    champion; when these have too few users, it is not shown worse on the test split. The same holds of nDCG@10, where a
    loss on the test split counts if it is above ``allowed_ranking_loss`` and shown. Against the best champion so far
    neither has lost more than ``max_total_loss``. Without a champion only the baselines count.

    Args:
        test: errors on the test split, with those of at least one baseline when there is no champion.
        new: errors on the holdout of the waiting batches; None when no batch waits.
        policy: thresholds.
        test_ranking: nDCG@10 of both models on the test split; None without a champion or liked movies.
        new_ranking: the same on the new rows.
        best: the best champion so far on the same test split; None when there is none.
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
    ranked_test, ranked_new = (compare_rankings(rows, policy) for rows in (test_ranking, new_ranking))
    level = (best.champion_ndcg_level if best else 1.0) * (1 + ranked_test.difference if ranked_test else 1.0)
    total = _total_loss(test_rmse, level if ranked_test else None, best)
    rejection = (
        _loses_to_baseline(test_rmse, baselines)
        or _loses_to_champion(on_test, on_new, policy)
        or _ranks_worse(ranked_test, ranked_new, policy)
        or _loses_in_total(total, policy)
    )
    reason = rejection or _why_promoted(test_rmse, baselines, on_test, on_new, policy, no_champion)
    if rejection is None and ranked_test is not None:
        reason = f"{reason}; {_describe_ranking(ranked_test, 'of the test split')}"
    return GateDecision(
        promoted=rejection is None,
        reason=reason,
        candidate_rmse=test_rmse,
        baselines=baselines,
        test=on_test,
        new=on_new,
        policy=policy,
        test_ranking=ranked_test,
        new_ranking=ranked_new,
        total=total,
        ndcg_level=level,
    )


def compare(rows: HoldoutErrors, policy: GatePolicy) -> Comparison | None:
    """Compare candidate and champion, with an interval of their difference; None without a champion or without rows.

    The interval is the percentile bootstrap of the ratio of the two RMSEs. Users are drawn, not rows, and the errors of
    both models together: what makes a user hard to predict for both cancels out. The order of rows does not matter.
    """
    if rows.champion is None or len(rows.candidate) == 0:
        return None
    squares = [round_to_sum(errors.astype(np.float64) ** 2) for errors in (rows.candidate, rows.champion)]
    users = distinct(rows.user_ids)
    user = positions(rows.user_ids, users)[0]
    sums = _blocks(np.column_stack([np.bincount(user, weights=each) for each in squares]))
    low, high = np.quantile(
        _bootstrap(sums, policy.resamples), [(1 - policy.confidence) / 2, (1 + policy.confidence) / 2]
    )
    candidate_rmse, champion_rmse = np.sqrt(sums.sum(axis=0) / len(user)).tolist()
    return Comparison(
        rows=len(user),
        users=len(users),
        candidate_rmse=candidate_rmse,
        champion_rmse=champion_rmse,
        difference=_ratio(candidate_rmse, champion_rmse) - 1,
        low=float(low),
        high=float(high),
        slices=_slices(rows, rows.champion, policy),
    )


def compare_rankings(users: HoldoutRankings | None, policy: GatePolicy) -> RankingComparison | None:
    """Compare the mean nDCG@10 of both models, with an interval as in ``compare``; None without users to compare on.

    Without a single hit of the champion there is nothing to be worse than: also None.
    """
    if users is None or len(users.candidate) == 0 or users.champion.sum() <= 0:
        return None
    pairs = np.column_stack([users.candidate, users.champion]).astype(np.float64)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]  # sums of floats depend on their order
    sums, random = _blocks(pairs), np.random.default_rng(SEED)
    drawn = np.array([sums[random.integers(0, len(sums), len(sums))].sum(axis=0) for _ in range(policy.resamples)])
    ratios = [_ratio(*pair) - 1 for pair in drawn.tolist()]
    low, high = np.quantile(ratios, [(1 - policy.confidence) / 2, (1 + policy.confidence) / 2])
    candidate, champion = pairs.mean(axis=0).tolist()
    return RankingComparison(
        users=len(pairs),
        candidate_ndcg=candidate,
        champion_ndcg=champion,
        difference=candidate / champion - 1,
        low=float(low),
        high=float(high),
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
        movies = distinct(rows.movie_ids)
        of_movie = np.empty(len(movies), rows.movie_ratings.dtype)
        of_movie[positions(rows.movie_ids, movies)[0]] = rows.movie_ratings
        median, top = np.quantile(of_movie, [0.5, 0.9])
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


def _ranks_worse(test: RankingComparison | None, new: RankingComparison | None, policy: GatePolicy) -> str | None:
    if test is not None and test.high < 0 and test.difference < -policy.allowed_ranking_loss:
        described = _describe_ranking(test, "of the test split")
        return f"rejected: {described}, and a loss of {policy.allowed_ranking_loss:.1%} is allowed"
    if new is not None and new.users >= policy.min_users:
        return f"rejected: {_describe_ranking(new, 'of new rows')}" if new.high < 0 else None
    if test is not None and test.high < 0:
        return f"rejected: {_describe_ranking(test, 'of the test split')}, and too few users liked movies of new rows"
    return None


def _total_loss(rmse: float, ndcg_level: float | None, best: BestChampion | None) -> TotalLoss | None:
    if best is None:
        return None
    ndcg = None if ndcg_level is None else 1 - ndcg_level / best.ndcg_level
    return TotalLoss(_ratio(rmse, best.rmse) - 1, best.rmse_version, ndcg, best.ndcg_version)


def _loses_in_total(total: TotalLoss | None, policy: GatePolicy) -> str | None:
    if total is None:
        return None
    allowed = f"and a total loss of {policy.max_total_loss:.1%} is allowed"
    if total.rmse > policy.max_total_loss:
        return f"rejected: test RMSE {total.rmse:+.2%} against {total.rmse_version}, the best so far, {allowed}"
    if total.ndcg is not None and total.ndcg > policy.max_total_loss:
        return f"rejected: test nDCG@10 {-total.ndcg:+.2%} against {total.ndcg_version}, the best so far, {allowed}"
    return None


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
        f"({interval}) on {comparison.rows:,} {where} of {count(comparison.users, 'user')}"
    )


def _describe_ranking(comparison: RankingComparison, where: str) -> str:
    return (
        f"nDCG@10 {comparison.candidate_ndcg:.4f} against {comparison.champion_ndcg:.4f}, {comparison.difference:+.2%} "
        f"({comparison.low:+.2%} to {comparison.high:+.2%}) for {count(comparison.users, 'user')} {where}"
    )


def _too_few(new: Comparison | None) -> str:
    return "no new rows to compare on" if new is None else f"new rows of {count(new.users, 'user')} only"
