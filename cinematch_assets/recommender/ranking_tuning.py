"""How strong the ranker's ridge should be on the data at hand, tried out on a part of the training rows.

Here: the trial. Not here: the ranker (``ranking``), figures on test rows (``evaluation``).

What λ = 150 is to MovieLens need not be right for other people: where likeness between films is spread thin over many
of them, a stronger ridge gives better lists. A fifth of the rows of at most ``TRIED_USERS`` users is held back, the
exact ranker is fitted on the rest for each λ, and the configured one stays unless another is clearly better.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.recommender.data import Catalogue, Ratings
from cinematch_assets.recommender.evaluation import LIKED, K, ndcg_by_user
from cinematch_assets.recommender.ranking import RankingConfig, fit_ranker
from cinematch_assets.recommender.ranking_dual import fit_dual
from cinematch_assets.recommender.splits import random_split

STEPS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""What λ is multiplied by: nDCG@10 changes by a few per cent from one step to the next."""

TRIED_USERS = 1_000
"""With all 6,500 users of a million synthetic ratings the same λ won as with 1,000 of them."""

HELD_SHARE = 0.2
STANDARD_ERRORS = 2.0
"""By how many, of the paired difference, another λ has to be better; without it, small sets choose by chance."""

WORTH = 1.03
"""And by how much in proportion: a stronger ridge lists fewer films, which is not worth a smaller gain."""


def tuned(train: Ratings, catalogue: Catalogue, config: RankingConfig, seed: int) -> RankingConfig:
    """``config`` with the λ that is best on a validation part of ``train``, one row per (user, movie)."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, TRIED_USERS]))
    everyone = np.unique(train.users)
    asked = everyone if len(everyone) <= TRIED_USERS else rng.choice(everyone, TRIED_USERS, replace=False)
    split = random_split(train.where(np.isin(train.users, asked)), HELD_SHARE, seed)
    liked = split.test.where(split.test.ratings >= LIKED)
    if len(split.train) == 0 or len(liked) == 0:
        return config
    ranker = fit_ranker(split.train, catalogue, config=replace(config, dual_users=TRIED_USERS))
    users = np.unique(liked.users)
    found = []
    for step in STEPS:
        if step != 1.0:
            weights = fit_dual(
                split.train,
                ranker.weights.films,
                ridge=config.ridge * step,
                dropout=config.dropout,
                user_exponent=config.user_exponent,
            )
            ranker = replace(ranker, weights=weights)
        found.append(ndcg_by_user(users, ranker.top(users, K, split.train).movies, liked))
    return replace(config, ridge=config.ridge * STEPS[_clearly_best(np.array(found))])


def _clearly_best(found: NDArray[np.float64]) -> int:
    """The row of (steps, users) with the best mean, if it is worth leaving the first, the configured λ, for it."""
    means = found.mean(axis=1)
    best = int(means.argmax())
    gain = found[best] - found[0]
    certain = gain.mean() > STANDARD_ERRORS * gain.std() / np.sqrt(len(gain))
    return best if certain and means[best] > WORTH * means[0] else 0
