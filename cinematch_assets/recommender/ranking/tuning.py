"""Choose λ and the implicit-ALS weight on a validation split.

Here: the search. Not here: the ranker (``ranking.ranker``), figures on test rows (``evaluation``).

The defaults suit MovieLens. In data with fewer co-ratings per pair of movies EASE is less reliable and implicit ALS
more: a stronger ridge λ and a larger weight of implicit ALS then rank better. Both are raised together, step by step,
until a step is no longer clearly better. Steps are compared on a fifth of the rows of at most
``MAX_VALIDATION_USERS`` users, by the exact ranker fitted to the rest of these users' rows.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.ids import distinct
from cinematch_assets.logs import log_phase
from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.evaluation import LIKED, K, ndcg_by_user
from cinematch_assets.recommender.ranking.ranker import Ranker, fit_ranker
from cinematch_assets.recommender.splits import random_split

RIDGE_STEP, IMPLICIT_WEIGHT_STEP = 4.0, 2.0
"""Factors of λ and of the implicit-ALS weight: nDCG@10 changes by a few per cent from one step to the next."""

MAX_STEPS = 2
"""Up to a λ of 2,400, the strongest that was examined."""

MAX_VALIDATION_USERS = 2_000
"""With 1,000 users some seeds decided by chance on synthetic sets of one and three million ratings."""

VALIDATION_SHARE = 0.2
MIN_STANDARD_ERRORS = 2.0
"""Standard errors of the paired difference by which a step has to be better, so that chance decides nothing."""

MIN_RATIO = 1.03
"""The ratio of nDCG by which it has to be better as well: a stronger ridge lists fewer movies."""

logger = logging.getLogger(__name__)


def tune_ranking(train: Ratings, catalogue: Catalogue, config: RankingConfig, seed: int) -> RankingConfig:
    """``config`` with the λ and the implicit-ALS weight that rank best on a validation split of ``train``.

    ``train`` has one row per (user, movie). Without liked movies in the split the config stays as it is.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, MAX_VALIDATION_USERS]))
    users = distinct(train.users)
    drawn = users if len(users) <= MAX_VALIDATION_USERS else rng.choice(users, MAX_VALIDATION_USERS, replace=False)
    split = random_split(train.where(np.isin(train.users, drawn)), VALIDATION_SHARE, seed)
    liked = split.test.where(split.test.ratings >= LIKED)
    if len(split.train) == 0 or len(liked) == 0:
        return config
    best = config.with_values(max_dual_users=MAX_VALIDATION_USERS)
    with log_phase(logger, "tuning of the ranker on %d users", len(drawn)):
        ranker = fit_ranker(split.train, catalogue, best, np.random.default_rng(seed))
        best_ndcg = _validation_ndcg(ranker, split.train, liked)
        for _ in range(MAX_STEPS):
            candidate = best.with_values(
                ridge=best.ridge * RIDGE_STEP, implicit_weight=best.implicit_weight * IMPLICIT_WEIGHT_STEP
            )
            refitted = ranker.refit_ease(catalogue, candidate, np.random.default_rng(seed))
            ndcg = _validation_ndcg(refitted, split.train, liked)
            if not clearly_better(ndcg, best_ndcg):
                break
            best, best_ndcg = candidate, ndcg
    return config.with_values(ridge=best.ridge, implicit_weight=best.implicit_weight)


def clearly_better(ndcg: NDArray[np.float64], before: NDArray[np.float64]) -> bool:
    """Whether nDCG of the same users, (users,), is better by more than chance, and by enough to matter."""
    gain = ndcg - before
    significant = gain.mean() > MIN_STANDARD_ERRORS * gain.std() / np.sqrt(len(gain))
    return bool(significant and ndcg.mean() > MIN_RATIO * before.mean())


def _validation_ndcg(ranker: Ranker, train: Ratings, liked: Ratings) -> NDArray[np.float64]:
    """nDCG@10 of each user with ``liked`` movies in the validation split, (users,)."""
    users = np.unique(liked.users)
    return ndcg_by_user(users, ranker.top(users, K, train).movies, liked)
