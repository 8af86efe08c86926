import numpy as np
import pytest
from scipy import sparse

from cinematch_assets.recommender.ranking import dual_reasons
from cinematch_assets.recommender.ranking.dual_reasons import dual_contributions
from cinematch_assets.recommender.ranking.reasons import REASONS

MOVIES, USERS, ROWS = 40, 30, 12


@pytest.mark.parametrize("block", [1, 3, 512])
def test_the_largest_contributions_are_those_of_the_whole_matrix_in_blocks_of_any_size(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dual_reasons, "BLOCK_MOVIES", block)
    rng = np.random.default_rng(2)
    train = sparse.random(USERS, MOVIES, 0.4, "csc", np.float32, rng)
    inverse = rng.normal(size=(USERS, USERS)).astype(np.float32)
    inverse += inverse.T
    own, target = rng.random(MOVIES).astype(np.float32), rng.random(MOVIES).astype(np.float32)
    weights = sparse.random(ROWS, MOVIES, 0.3, "csr", np.float32, rng)
    listed = np.array([rng.choice(MOVIES, 6, replace=False) for _ in range(ROWS)], np.int32)
    listed[3, 4:] = -1  # a list that is shorter
    listed[5] = -1  # no list at all
    found = dual_contributions(weights, listed, (train.indptr, train.indices, train.data), inverse, (own, target))

    b = own[:, None] * (train.toarray().T @ inverse @ train.toarray()) * target
    np.fill_diagonal(b, 0.0)
    assert found.columns.shape == found.values.shape == (ROWS, 6, REASONS)
    for row, movies in enumerate(listed):
        for slot, movie in enumerate(movies):
            contributed = weights.toarray()[row] * b[:, movie] if movie >= 0 else np.zeros(MOVIES)
            best = [each for each in np.argsort(-contributed)[:REASONS] if contributed[each] > 0]
            assert found.columns[row, slot].tolist() == best + [-1] * (REASONS - len(best))
            assert np.allclose(found.values[row, slot, : len(best)], contributed[best], rtol=1e-4)
            assert not found.values[row, slot, len(best) :].any()
