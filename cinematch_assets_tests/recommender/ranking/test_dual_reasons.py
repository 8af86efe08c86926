import numpy as np
from scipy import sparse

from cinematch_assets.recommender.ranking.dual_reasons import dual_columns


def test_columns_are_the_products_with_the_inverse_and_zero_for_the_movie_itself() -> None:
    rng = np.random.default_rng(2)
    x = sparse.random(12, 9, 0.5, "csc", np.float32, rng)
    inverse = rng.random((12, 12)).astype(np.float32)
    inverse += inverse.T
    own, target = rng.random(9).astype(np.float32), rng.random(9).astype(np.float32)
    rated, targets = np.array([0, 3, 4, 8], np.int32), np.array([3, 7], np.int32)
    found = dual_columns(rated, targets, (x.indptr, x.indices, x.data), inverse, (own, target))
    expected = (own[:, None] * (x.toarray().T @ inverse @ x.toarray()) * target)[np.ix_(rated, targets)].T
    expected[0, 1] = 0.0
    assert found.shape == (2, 4)
    assert np.allclose(found, expected, rtol=1e-4)
