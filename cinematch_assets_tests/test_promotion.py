"""The promotion gate: what it rejects, what it promotes, and what its figures mean."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cinematch_assets.promotion import (
    BestChampion,
    GatePolicy,
    HoldoutErrors,
    HoldoutRankings,
    NoComparisonError,
    compare,
    compare_rankings,
    gate,
    holdout_newest,
)

Errors = NDArray[np.float64]


def make_errors(
    candidate: float, champion: float, *, users: int = 400, rows_each: int = 20, seed: int = 1, **baselines: float
) -> HoldoutErrors:
    """Errors with these RMSEs on average; what is hard for one model is mostly hard for the other."""
    random = np.random.default_rng(seed)
    rows = users * rows_each
    shared = random.normal(0, 1, rows) * np.repeat(random.uniform(0.6, 1.4, users), rows_each)
    own = [0.95 * shared + 0.3 * random.normal(0, 1, rows) for _ in range(2 + len(baselines))]
    scaled = [
        errors / np.sqrt(np.mean(own[1] ** 2)) * size
        for errors, size in zip(own, (candidate, champion, *baselines.values()), strict=True)
    ]
    return HoldoutErrors(
        user_ids=np.repeat(np.arange(users), rows_each),
        candidate=scaled[0],
        champion=scaled[1],
        baselines=dict(zip(baselines, scaled[2:], strict=True)),
    )


def test_a_better_candidate_is_promoted_with_its_evidence() -> None:
    decision = gate(make_errors(0.88, 0.90), make_errors(0.85, 0.92, users=200, seed=2))
    assert decision.promoted
    assert decision.reason.startswith("no worse: RMSE 0.8")
    assert decision.new is not None
    assert decision.new.high < 0
    assert decision.new.users == 200


def test_the_same_model_again_is_promoted() -> None:
    rows = make_errors(0.9, 0.9)
    twin = replace(rows, candidate=rows.champion)
    decision = gate(twin, twin)
    assert decision.promoted
    assert decision.test is not None
    assert (decision.test.difference, decision.test.low, decision.test.high) == (0.0, 0.0, 0.0)


def test_a_candidate_shown_worse_on_the_new_rows_is_rejected() -> None:
    decision = gate(make_errors(0.90, 0.90), make_errors(0.95, 0.90, seed=2))
    assert not decision.promoted
    assert "new rows of 400 users" in decision.reason


def test_a_candidate_much_worse_on_the_test_split_is_rejected_even_if_better_on_new_rows() -> None:
    decision = gate(make_errors(0.94, 0.90), make_errors(0.70, 0.90, seed=2))
    assert not decision.promoted
    assert "2.0% is allowed" in decision.reason


def test_a_small_loss_on_the_test_split_is_allowed() -> None:
    assert gate(make_errors(0.911, 0.90), make_errors(0.80, 0.90, seed=2)).promoted


@pytest.mark.parametrize("new", [None, make_errors(0.90, 0.90, users=29, seed=2)])
def test_without_enough_new_rows_the_allowed_loss_is_gone(new: HoldoutErrors | None) -> None:
    rejected, passed = gate(make_errors(0.914, 0.90), new), gate(make_errors(0.90, 0.90), new)
    assert (rejected.promoted, passed.promoted) == (False, True)
    assert ("new rows of 29 users only" if new else "no new rows to compare on") in rejected.reason


def test_a_first_model_has_to_beat_every_baseline() -> None:
    rows = make_errors(0.90, 0.90, global_mean=1.05, bias_only=0.92)
    assert gate(replace(rows, champion=None)).reason.startswith("first model: test RMSE 0.8994 beats global_mean")
    assert gate(replace(rows, champion=None), no_champion="v1 is unreadable").reason.startswith(
        "v1 is unreadable: test RMSE"
    )
    assert gate(rows, no_champion="v1 is unreadable").reason.startswith("no worse")
    rows = make_errors(0.95, 0.90, global_mean=1.05, bias_only=0.92)
    rejected = gate(replace(rows, champion=None))
    assert not rejected.promoted
    assert "does not beat bias_only (0.92" in rejected.reason


def test_a_candidate_equal_to_a_baseline_is_rejected() -> None:
    rows = make_errors(0.97, 0.90, popularity=0.97)
    popular = replace(rows, champion=None, candidate=rows.baselines["popularity"])
    assert not gate(popular).promoted


def draw_ratings(seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Errors]:
    """Ratings with user and movie biases and two tastes: (user, movie, rating), one row each."""
    random = np.random.default_rng(seed)
    users, movies, rows = 300, 200, 15_000
    world = np.random.default_rng(0)
    taste, trait = world.normal(0, 0.5, (users, 2)), world.normal(0, 0.7, (movies, 2))
    user_bias, movie_bias = world.normal(0, 0.4, users), world.normal(0, 0.4, movies)
    user, movie = random.integers(0, users, rows), random.integers(0, movies, rows)
    signal = 3.5 + user_bias[user] + movie_bias[movie] + (taste[user] * trait[movie]).sum(axis=1)
    return user, movie, np.clip(np.round(2 * (signal + random.normal(0, 0.7, rows))) / 2, 0.5, 5.0)


def fit_predictions(user: NDArray[np.int64], movie: NDArray[np.int64], rating: Errors) -> NDArray[np.float64]:
    """Predictions for all (user, movie): biases, and the two leading singular vectors of what they leave."""
    mean = rating.mean()
    by_movie = np.bincount(movie, rating - mean, 200) / (np.bincount(movie, minlength=200) + 5)
    left = rating - mean - by_movie[movie]
    by_user = np.bincount(user, left, 300) / (np.bincount(user, minlength=300) + 5)
    residual = np.zeros((300, 200))
    residual[user, movie] = left - by_user[user]
    scores, values, traits = np.linalg.svd(residual)
    scale = residual.size / len(rating)
    low_rank = (scores[:, :2] * values[:2] * scale * 0.4) @ traits[:2]
    return mean + by_movie[None, :] + by_user[:, None] + low_rank


@pytest.fixture(scope="module", params=[True, False], ids=["with new rows", "without new rows"])
def contest(request: pytest.FixtureRequest) -> tuple[Errors, Errors, HoldoutErrors, HoldoutErrors | None]:
    """The champion's predictions, its training ratings, its errors on the test split and on the new rows."""
    user, movie, rating = draw_ratings(1)
    predictions = fit_predictions(user, movie, rating)

    def measured(seed: int, rows: int, raised: float) -> HoldoutErrors:
        its_user, its_movie, its_rating = (column[:rows] for column in draw_ratings(seed))
        errors = predictions[its_user, its_movie] - np.minimum(its_rating + raised, 5.0)
        return HoldoutErrors(its_user, errors, errors, movie_ids=its_movie)

    return predictions, rating, measured(2, 6_000, 0.0), measured(3, 2_000, 0.5) if request.param else None


def challenge(contest: tuple[Errors, Errors, HoldoutErrors, HoldoutErrors | None], predictions: Errors) -> bool:
    """Say whether these predictions replace the champion's."""
    champion, _, test, new = contest

    def against(rows: HoldoutErrors) -> HoldoutErrors:
        assert rows.movie_ids is not None
        return replace(rows, candidate=rows.champion + (predictions - champion)[rows.user_ids, rows.movie_ids])

    return gate(against(test), against(new) if new is not None else None).promoted


def test_the_champion_itself_passes(contest: tuple[Errors, Errors, HoldoutErrors, HoldoutErrors | None]) -> None:
    assert challenge(contest, contest[0])


@pytest.mark.faults("gate")
@pytest.mark.parametrize("raised", [0.0, 0.25])
def test_a_model_of_shuffled_ratings_is_never_promoted(
    contest: tuple[Errors, Errors, HoldoutErrors, HoldoutErrors | None], raised: float
) -> None:
    # Even one that has the drifted batch's higher mean right, and so is better on the new rows than the champion.
    user, movie, rating = draw_ratings(1)
    for seed in range(8):
        shuffled = np.random.default_rng(seed).permutation(rating)
        assert not challenge(contest, fit_predictions(user, movie, shuffled) + raised)


@pytest.mark.faults("gate")
@pytest.mark.parametrize("raised", [0.0, 0.25, 0.5])
def test_a_popularity_only_model_is_never_promoted(
    contest: tuple[Errors, Errors, HoldoutErrors, HoldoutErrors | None], raised: float
) -> None:
    _, movie, rating = draw_ratings(1)
    times = np.bincount(movie, minlength=200)
    by_rank = np.quantile(rating, np.argsort(np.argsort(times)) / 199)  # the more often rated, the better
    movie_mean = np.bincount(movie, rating, 200) / times
    for popular in (by_rank, movie_mean, np.full(200, rating.mean())):
        assert not challenge(contest, np.tile(popular + raised, (300, 1)))


@pytest.mark.faults("gate")
@pytest.mark.parametrize("where", ["test", "new"])
def test_a_prediction_that_is_not_finite_rejects_the_candidate(where: str) -> None:
    good, broken = make_errors(0.8, 0.9), make_errors(0.8, 0.9)
    broken.candidate[3] = np.nan
    decision = gate(broken, good) if where == "test" else gate(good, broken)
    assert not decision.promoted
    assert decision.reason == f"rejected: the prediction is not a finite number for 1 of the {where} rows"


def test_the_order_of_rows_does_not_matter() -> None:
    rows = make_errors(0.91, 0.90)
    order = np.random.default_rng(3).permutation(len(rows.candidate))
    mixed = HoldoutErrors(rows.user_ids[order], rows.candidate[order], rows.champion[order])
    assert gate(mixed, mixed).as_metadata() == gate(rows, rows).as_metadata()


def test_the_interval_is_over_users_not_rows() -> None:
    # Doubling every row adds no user, so it must not add confidence either.
    rows = make_errors(0.91, 0.90, users=100)
    doubled = HoldoutErrors(*(np.tile(column, 2) for column in (rows.user_ids, rows.candidate, rows.champion)))
    once, twice = compare(rows, GatePolicy()), compare(doubled, GatePolicy())
    assert once is not None
    assert twice is not None
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_pooling_many_users_keeps_the_width_of_the_interval() -> None:
    rows = make_errors(0.905, 0.90, users=40_000, rows_each=5)
    comparison = compare(rows, GatePolicy())
    assert comparison is not None
    assert comparison.users == 40_000
    by_user = np.bincount(rows.user_ids, rows.candidate**2 - rows.champion**2)
    deviation = by_user.std() * np.sqrt(40_000) / (2 * np.sum(rows.champion**2))  # of the ratio, by the delta method
    assert comparison.high - comparison.low == pytest.approx(2 * 1.96 * deviation, rel=0.1)


def test_slices_are_cold_users_popular_movies_and_tail_movies() -> None:
    rows = HoldoutErrors(
        user_ids=np.array([1, 1, 2, 2]),
        candidate=np.array([1.0, 1.0, 0.0, 2.0]),
        champion=np.array([1.0, 2.0, 0.0, 1.0]),
        user_ratings=np.array([2, 2, 90, 90]),
        movie_ratings=np.array([5, 700, 5, 40]),
        movie_ids=np.array([10, 20, 10, 30]),
    )
    comparison = compare(rows, GatePolicy())
    assert comparison is not None
    assert {name: each.rows for name, each in comparison.slices.items()} == {
        "cold_users": 2,
        "popular_movies": 1,
        "tail_movies": 3,
    }
    assert comparison.slices["popular_movies"].champion_rmse == 2.0


def test_a_slice_without_rows_is_left_out() -> None:
    rows = make_errors(0.9, 0.9, users=3)
    comparison = compare(replace(rows, user_ratings=np.full(60, 50)), GatePolicy())
    assert comparison is not None
    assert comparison.slices == {}


def test_the_decision_can_be_stored_as_json() -> None:
    rows = make_errors(0.9, 0.9, bias_only=0.95)
    decision = gate(rows, rows)
    stored = json.loads(json.dumps(decision.as_metadata(), allow_nan=False))
    assert stored["promoted"] is decision.promoted
    assert set(stored["test"]) >= {"rows", "users", "candidate_rmse", "champion_rmse", "low", "high", "slices"}
    assert stored["policy"]["allowed_loss"] == 0.02


def test_a_champion_without_error_gives_finite_numbers() -> None:
    rows = HoldoutErrors(np.array([1, 2]), np.array([0.5, 0.5]), np.zeros(2))
    decision = gate(rows)
    assert not decision.promoted
    json.dumps(decision.as_metadata(), allow_nan=False)


@pytest.mark.parametrize(
    "rows", [HoldoutErrors(np.zeros(0, int), np.zeros(0), np.zeros(0)), replace(make_errors(0.9, 0.9), champion=None)]
)
def test_without_anything_to_compare_with_the_gate_raises(rows: HoldoutErrors) -> None:
    with pytest.raises(NoComparisonError, match="a champion or a baseline"):
        gate(rows)


def test_the_newest_fifth_is_make_errors() -> None:
    times = np.array([50, 10, 30, 20, 40])
    assert holdout_newest(times, np.arange(5), np.arange(5)).tolist() == [True, False, False, False, False]
    assert holdout_newest(times, np.arange(5), np.arange(5), share=0.4).tolist() == [True, False, False, False, True]


def test_equal_times_are_held_out_by_user_and_movie_in_any_order() -> None:
    random = np.random.default_rng(8)
    users, movies = random.integers(0, 20, 100), np.arange(100)
    times = np.full(100, 7)
    order = random.permutation(100)
    held = holdout_newest(times, users, movies)
    assert held.sum() == 20
    assert np.array_equal(holdout_newest(times, users[order], movies[order]), held[order])


@pytest.mark.parametrize(("rows", "held"), [(0, 0), (1, 0), (2, 1), (5, 1), (6, 2), (100, 20), (43_000, 8_600)])
def test_how_many_rows_are_held_out(rows: int, held: int) -> None:
    ids = np.arange(rows)
    assert holdout_newest(ids, ids, ids).sum() == held


SAME_ERRORS = make_errors(0.9, 0.9)
SAME_ERRORS = replace(SAME_ERRORS, candidate=SAME_ERRORS.champion)


def make_rankings(loss: float, *, users: int = 400, seed: int = 3) -> HoldoutRankings:
    """nDCG@10 of a champion, and of a candidate whose nDCG is lower by this share on average."""
    random = np.random.default_rng(seed)
    champion = random.beta(1, 2, users)
    return HoldoutRankings(champion * (1 - loss) + random.normal(0, 0.02, users), champion)


def test_a_candidate_that_predicts_alike_and_ranks_worse_is_rejected() -> None:
    decision = gate(SAME_ERRORS, SAME_ERRORS, test_ranking=make_rankings(0.0), new_ranking=make_rankings(0.05))
    assert not decision.promoted
    assert "rejected: nDCG@10" in decision.reason
    assert "of new rows" in decision.reason
    decision = gate(SAME_ERRORS, SAME_ERRORS, test_ranking=make_rankings(0.06), new_ranking=make_rankings(0.0))
    assert "of the test split, and a loss of 3.0% is allowed" in decision.reason


def test_a_small_loss_of_ranking_on_the_test_split_is_allowed_unless_new_rows_are_too_few() -> None:
    small = make_rankings(0.02)
    assert gate(SAME_ERRORS, SAME_ERRORS, test_ranking=small, new_ranking=make_rankings(0.0)).promoted
    few = gate(SAME_ERRORS, SAME_ERRORS, test_ranking=small, new_ranking=make_rankings(0.0, users=29))
    assert not few.promoted
    assert "too few users liked movies of new rows" in few.reason


def test_the_same_rankings_are_no_difference() -> None:
    champion = make_rankings(0.0).champion
    found = compare_rankings(HoldoutRankings(champion, champion), GatePolicy())
    assert found is not None
    assert (found.difference, found.low, found.high, found.users) == (0.0, 0.0, 0.0, 400)
    assert compare_rankings(HoldoutRankings(champion, 0 * champion), GatePolicy()) is None


@pytest.mark.faults("gate")
def test_small_losses_do_not_add_up_unseen() -> None:
    rmse = gate(SAME_ERRORS).candidate_rmse
    assert rmse is not None
    best = BestChampion(rmse / 1.029, "v1", 1.0, "v2", champion_ndcg_level=0.985)
    ranked = {"test_ranking": make_rankings(0.01), "new_ranking": make_rankings(0.0)}
    passed = gate(SAME_ERRORS, SAME_ERRORS, best=best, **ranked)
    assert passed.promoted
    assert passed.total is not None
    assert passed.total.rmse == pytest.approx(0.029)
    assert passed.total.ndcg == pytest.approx(1 - passed.ndcg_level)
    lost = gate(SAME_ERRORS, SAME_ERRORS, best=replace(best, rmse=rmse / 1.031), **ranked)
    assert "against v1, the best so far, and a total loss of 3.0% is allowed" in lost.reason
    lost = gate(SAME_ERRORS, SAME_ERRORS, best=replace(best, champion_ndcg_level=0.975), **ranked)
    assert "test nDCG@10 -3" in lost.reason
    assert "against v2" in lost.reason
    assert not lost.promoted
