"""Ablation of the ranker: ``python -m benchmarks.recommender.variants [ml-100k] [ml-latest-small]``.

Each row changes one hyperparameter of what is shipped. Test rows only measure here; hyperparameters were chosen on a
validation part of training.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measuring import machine
from benchmarks.recommender.data import prepare
from cinematch_assets.recommender.config import RankingConfig, RecommenderConfig
from cinematch_assets.recommender.data import Catalogue, Ids, Ratings, UserMoviePairs
from cinematch_assets.recommender.evaluation import evaluate
from cinematch_assets.recommender.model import fit_recommender
from cinematch_assets.recommender.protocol import Predictions, TopN
from cinematch_assets.recommender.ranking.diversity import franchises
from cinematch_assets.recommender.ranking.ranker import Ranker, fit_ranker
from cinematch_assets.recommender.rating_prediction.rating_table import RatingTable
from cinematch_assets.recommender.splits import Split, random_split

HERE = Path(__file__).parent
SEEDS = (42, 1, 2)
SHIPPED = RankingConfig()


@dataclass(frozen=True)
class RankerAsModel:
    """A ranker as a model, with the rating table whose predictions weigh in its order."""

    ranker: Ranker
    rating_table: RatingTable
    method: str = "ranker"

    def predict(self, users: Ids, movies: Ids) -> Predictions:
        """The rating table's predictions."""
        return self.rating_table.predict(users, movies)

    def recommend(self, users: Ids, k: int, *, seen: UserMoviePairs, candidates: Ids | None = None) -> TopN:
        """The ranker's rankings."""
        top = self.ranker.top(users, k, seen, candidates, rating_factors=self.rating_table)
        ranks = np.broadcast_to(np.arange(1, top.movies.shape[1] + 1, dtype=np.int32), top.movies.shape)
        owners = np.broadcast_to(users[:, None], top.movies.shape)
        filled = top.movies >= 0
        return TopN(owners[filled], ranks[filled], top.movies[filled], top.scores[filled], top.scores[filled])


def main() -> None:
    rows = [row for name in sys.argv[1:] or ["ml-100k", "ml-latest-small"] for row in variants(name)]
    header = ["data", "ranker", "nDCG@10", "coverage", "novelty, bits", "ten most popular", "most of one franchise"]
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
    about = (
        f"Means of {len(SEEDS)} random 70/30 splits. Coverage: share of movies in any ranking. Novelty: mean of -log2"
        " of the share of users who rated a recommended movie. Ten most popular: share of ranks that the ten most rated"
        " movies take. Most of one franchise: in the worst ranking of all."
    )
    day = date.today().isoformat()  # noqa: DTZ011 - the local day
    text = "\n".join(["# Parts of the ranker", "", *lines, "", about, "", f"{day}. {machine()}.", ""])
    print(text)
    (HERE / "results" / "ranking.md").write_text(text, encoding="utf-8")


def variants(name: str) -> list[list[str]]:
    """One row a variant."""
    data = prepare(name, HERE / ".cache")
    rows = Ratings.of(
        *(np.concatenate([getattr(part, field) for part in (data.train, data.test)]) for field in _FIELDS)
    )
    untitled = Catalogue.without_titles(data.catalogue.movies)
    asked: dict[str, tuple[RankingConfig, Catalogue]] = {
        "shipped": (SHIPPED, data.catalogue),
        "without implicit ALS": (SHIPPED.with_values(implicit_weight=0.0), data.catalogue),
        "without predicted ratings": (SHIPPED.with_values(rating_weight=0.0), data.catalogue),
        "without genre match": (SHIPPED.with_values(genre_weight=0.0), data.catalogue),
        "EASE alone": (SHIPPED.with_values(implicit_weight=0.0, rating_weight=0.0, genre_weight=0.0), data.catalogue),
        "without popularity discount": (SHIPPED.with_values(popularity_discount=0.0), data.catalogue),
        "without franchise cap": (SHIPPED, untitled),
        "without either": (SHIPPED.with_values(popularity_discount=0.0), untitled),
        "without either, users weighing the same, no dropout": (
            SHIPPED.with_values(popularity_discount=0.0, dropout=0.0, user_exponent=0.0),
            untitled,
        ),
        "exact among a fifth of the movies": (_sparse(len(data.catalogue) // 5), data.catalogue),
        "exact among a tenth of the movies": (_sparse(len(data.catalogue) // 10), data.catalogue),
        "a fifth, all 20 neighbours stored": (_sparse(len(data.catalogue) // 5).with_values(kept=20), data.catalogue),
    }
    splits = [random_split(rows, 0.3, seed) for seed in SEEDS]
    tables = [
        fit_recommender(split.train, data.catalogue, config=RecommenderConfig(), seed=seed).rating_table
        for split, seed in zip(splits, SEEDS, strict=True)
    ]
    parts = list(zip(splits, tables, strict=True))
    return [[name, label, *_measured(parts, data.catalogue, *how)] for label, how in asked.items()]


def _sparse(movies: int) -> RankingConfig:
    """The method for many users, which is not chosen for sets as small as these."""
    return RankingConfig(max_dual_users=0, head_items=movies)


_FIELDS = ("users", "movies", "ratings", "timestamps")


def _measured(
    parts: list[tuple[Split, RatingTable]], titles: Catalogue, config: RankingConfig, catalogue: Catalogue
) -> list[str]:
    found = [_once(split, table, titles, config, catalogue) for split, table in parts]
    means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    return [
        f"{means['ndcg']:.4f}",
        f"{means['coverage']:.3f}",
        f"{means['novelty']:.2f}",
        f"{means['popular']:.0%}",
        f"{max(one['franchise'] for one in found):.0f}",
    ]


def _once(
    split: Split, table: RatingTable, titles: Catalogue, config: RankingConfig, catalogue: Catalogue
) -> dict[str, float]:
    ranker = fit_ranker(split.train, catalogue, config, np.random.default_rng(0))
    figures: Any = evaluate(RankerAsModel(ranker, table), split.train, split.test, catalogue)
    top = ranker.top(np.unique(split.train.users), 10, split.train, rating_factors=table).movies
    group = dict(zip(titles.movies.tolist(), franchises(titles.titles).tolist(), strict=True))
    popular = pd.Series(split.train.movies).value_counts().index[:10]
    return {
        "ndcg": figures.catalogue_ndcg_at_10,
        "coverage": figures.coverage,
        "novelty": figures.novelty,
        "popular": float(np.isin(top, popular).mean()),
        "franchise": float(
            max(max(Counter(group.get(movie, -movie) for movie in row).values()) for row in top.tolist())
        ),
    }


if __name__ == "__main__":
    main()
