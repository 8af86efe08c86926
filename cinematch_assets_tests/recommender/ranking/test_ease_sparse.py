import numpy as np
import pytest
from scipy import sparse

from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import Ratings
from cinematch_assets.recommender.kernels.bfloat16 import to_bfloat16
from cinematch_assets.recommender.kernels.topn import SCAN_WIDTH, Exclusions
from cinematch_assets.recommender.ranking.ease_sparse import BLOCK_COLUMNS, BLOCK_USERS, SparseEase, fit_ease_sparse
from cinematch_assets.recommender.ranking.histories import UserHistories
from cinematch_assets_tests.recommender.ranking.textbook import textbook_scores
from cinematch_assets_tests.support.populations import make_catalogue, make_two_tastes

CATALOGUE = make_catalogue()
TRAIN = make_two_tastes()
HISTORIES = UserHistories.of(TRAIN, CATALOGUE.movies)


def fit(**config: int) -> SparseEase:
    return fit_ease_sparse(HISTORIES, CATALOGUE, RankingConfig(**config), np.random.default_rng(0))


def test_scores_are_those_of_the_paper_but_for_bfloat16() -> None:
    """bfloat16 is exact to one part in 256."""
    scores = fit().scores(HISTORIES.weights())
    assert np.allclose(scores, textbook_scores(HISTORIES, RankingConfig()), atol=2e-3)


def test_scores_of_tail_movies_are_close_to_the_exact_ones() -> None:
    exact, near = (fit(**config).scores(HISTORIES.weights()) for config in ({}, {"head_items": 40, "kept": 20}))
    movies, counts = np.unique(TRAIN.movies, return_counts=True)
    tail = np.isin(HISTORIES.movies, movies[np.lexsort((movies, -counts))[40:]])
    assert np.corrcoef(exact[:, tail].ravel(), near[:, tail].ravel())[0, 1] > 0.97


def test_only_the_largest_coefficients_of_a_tail_movie_are_stored() -> None:
    model = fit(head_items=40, neighbours=20, kept=5)
    tail = np.setdiff1d(np.flatnonzero(np.diff(HISTORIES.weights().tocsc().indptr)), model.head)
    of_tail = np.diff(model.border[tail].indptr)
    assert of_tail.tolist() == [5] * len(tail)


def make_model(rng: np.random.Generator, movies: int, head_items: int) -> tuple[SparseEase, np.ndarray]:
    """A model of random cells, and its B as a dense matrix."""
    head = np.sort(rng.choice(movies, head_items, replace=False)).astype(np.int32)
    cells = to_bfloat16(rng.standard_normal((head_items, head_items), np.float32))
    border = sparse.random(movies, movies, 0.01, "csr", np.float32, rng)
    dense = border.toarray()
    dense[np.ix_(head, head)] += (cells.astype(np.uint32) << 16).view(np.float32)
    no_ratings = Ratings.of(*(np.zeros(0, np.int32),) * 3)
    return SparseEase(UserHistories.of(no_ratings, np.arange(movies, dtype=np.int32)), head, cells, border), dense


def test_scores_and_selections_of_many_movies_are_those_of_the_dense_matrix() -> None:
    """More users than a block has, and more head movies than are read at once."""
    rng = np.random.default_rng(8)
    movies, users = BLOCK_COLUMNS + 676, 2 * BLOCK_USERS + 88
    model, dense = make_model(rng, movies, BLOCK_COLUMNS + 476)
    weights = sparse.random(users, movies, 0.02, "csr", np.float32, rng)
    scores = weights.toarray() @ dense
    assert np.allclose(model.scores(weights), scores, atol=1e-4)
    scale, shift = rng.random(movies, np.float32), rng.random(movies, np.float32)
    shift[5:50] = -np.inf
    best = model.best(weights, (scale, shift), 7, Exclusions(weights.indptr.astype(np.int64), weights.indices))
    expected = shift + scale * scores
    expected[weights.nonzero()] = -np.inf
    assert (best.columns == np.argsort(-expected, axis=1, kind="stable")[:, :7]).mean() > 0.999
    assert np.allclose(best.scores, -np.sort(-expected, axis=1)[:, :7], atol=1e-4)


def test_equal_scores_of_head_and_tail_are_ordered_by_movie() -> None:
    """Without ratings all scores are their shift; more movies than are scanned at once."""
    movies = 3 * SCAN_WIDTH
    model, _ = make_model(np.random.default_rng(3), movies, SCAN_WIDTH)
    shift = np.zeros(movies, np.float32)
    shift[[700, 20, 400]] = 1.0
    nothing = sparse.csr_matrix((2, movies), dtype=np.float32)
    excluded = Exclusions(np.array([0, 0, 3]), np.array([0, 20, 3], np.int32))
    best = model.best(nothing, (np.ones(movies, np.float32), shift), 6, excluded)
    assert best.columns.tolist() == [[20, 400, 700, 0, 1, 2], [400, 700, 1, 2, 4, 5]]


@pytest.mark.parametrize("head_items", [6_000, 40], ids=["head", "head and tail"])
def test_arrays_restore_the_model(head_items: int) -> None:
    model = fit(head_items=head_items)
    restored = SparseEase.from_arrays(model.arrays())
    weights = HISTORIES.weights()
    assert restored.scores(weights).tobytes() == model.scores(weights).tobytes()
