"""EASE as the papers write it, to compare both implementations with."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.ranking.histories import UserHistories, user_weights


def textbook_scores(histories: UserHistories, config: RankingConfig) -> NDArray[np.float64]:
    """Scores of all users, (U, M), with dropout and user weights, by one inverse of movies × movies."""
    x = histories.weights().astype(np.float64)
    w = user_weights(x, config.user_exponent).astype(np.float64)
    gram = (x.T @ sparse.diags(w) @ x).toarray()
    p = np.linalg.inv(gram + np.diag(config.ridge + config.dropout * np.diag(gram)))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0.0)
    return x @ b
