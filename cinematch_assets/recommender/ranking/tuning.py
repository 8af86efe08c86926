"""Choose λ and the implicit-ALS weight on a validation split of the training rows.

Here: the trial. Not here: the ranker (``ranker``), figures on test rows (``evaluation``).

What is right for MovieLens need not be right for other people: where likeness is spread thin over many movies, pairs of
movies say less and tastes that many share say more. Then a stronger ridge λ and a larger share of the likings give
better lists, so both are raised together, step by step, for as long as that is clearly better. Measured are a fifth of
the rows of at most ``TRIED_USERS`` users, by the exact ranker fitted to the rest of theirs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.config import RankingConfig
from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.evaluation import LIKED, K, ndcg_by_user
from cinematch_assets.recommender.ranking.ranker import Ranker, fit_ranker
from cinematch_assets.recommender.splits import random_split

RIDGE_STEP, LIKINGS_STEP = 4.0, 2.0
"""What λ and the likings' share are multiplied by: nDCG@10 changes by a few per cent from one step to the next."""

MOST_STEPS = 2
"""Up to a λ of 2,400, the strongest that was tried."""

TRIED_USERS = 2_000
"""With 1,000 users chance decided for some seeds on synthetic sets of one and three million ratings."""

HOLDOUT_SHARE = 0.2
STANDARD_ERRORS = 2.0
"""By how many, of the paired difference, a step has to be better; without it, small sets choose by chance."""

WORTH = 1.03
"""And by how much in proportion: a stronger ridge lists fewer movies, which is not worth a smaller gain."""


def tuned(train: Ratings, catalogue: Catalogue, config: RankingConfig, seed: int) -> RankingConfig:
    """``config`` with the λ and the share of likings that are best on a validation part of ``train``.

    ``train`` has one row per (user, movie).
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, TRIED_USERS]))
    everyone = np.unique(train.users)
    asked = everyone if len(everyone) <= TRIED_USERS else rng.choice(everyone, TRIED_USERS, replace=False)
    split = random_split(train.where(np.isin(train.users, asked)), HOLDOUT_SHARE, seed)
    liked = split.test.where(split.test.ratings >= LIKED)
    if len(split.train) == 0 or len(liked) == 0:
        return config
    tried = config.with_values(max_dual_users=TRIED_USERS)
    ranker = fit_ranker(split.train, catalogue, config=tried, seed=seed)
    worth = _worth(ranker, split.train, liked)
    for _ in range(MOST_STEPS):
        further = tried.with_values(
            ridge=tried.ridge * RIDGE_STEP, implicit_weight=tried.implicit_weight * LIKINGS_STEP
        )
        found = _worth(ranker.refitted(split.train, further), split.train, liked)
        if not clearly_better(found, worth):
            break
        tried, worth = further, found
    return config.with_values(ridge=tried.ridge, implicit_weight=tried.implicit_weight)


def clearly_better(found: NDArray[np.float64], before: NDArray[np.float64]) -> bool:
    """Whether figures of the same users, (users,), are better by more than chance, and by enough to matter."""
    gain = found - before
    certain = gain.mean() > STANDARD_ERRORS * gain.std() / np.sqrt(len(gain))
    return bool(certain and found.mean() > WORTH * before.mean())


def _worth(ranker: Ranker, train: Ratings, liked: Ratings) -> NDArray[np.float64]:
    """nDCG@10 of each user with liked movies that were held back."""
    users = np.unique(liked.users)
    return ndcg_by_user(users, ranker.top(users, K, train).movies, liked)
