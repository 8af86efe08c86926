"""Error rates of the decisions: retraining without drift, missed drift, and both errors of the gate.

    python -m benchmarks.decisions [--batches 200] [--data FOLDER_OF_ML_LATEST_SMALL]

Batches without drift consist of users drawn from the baseline: all of their ratings, or about ten of each. Drift is
added to them. The gate compares two models whose errors are correlated. Everything is seeded.
Exit code 1 if more than 5 % of the batches without drift lead to retraining, or drift is found in less than 95 %.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.measuring import report
from cinematch_assets.drift.alerts import drift_alerts
from cinematch_assets.drift.histogram import RatingHistogram
from cinematch_assets.drift.null_distribution import rating_null_distribution
from cinematch_assets.promotion import HoldoutErrors, gate
from cinematch_assets_tests.support.populations import (
    draw_few_ratings_each,
    draw_whole_users,
    make_population,
    move_to_ks_distance,
    raise_half,
)

Counts = NDArray[np.int64]
Change = Callable[[Counts, Counts, np.random.Generator], Counts]
MAX_FALSE_ALARMS, MIN_FOUND = 0.05, 0.95


def keep(_: Counts, batch: Counts, __: np.random.Generator) -> Counts:
    return batch


def raise_ratings(_: Counts, batch: Counts, random: np.random.Generator) -> Counts:
    return raise_half(batch, random)


def move(baseline: Counts, batch: Counts, _: np.random.Generator) -> Counts:
    return move_to_ks_distance(baseline, batch, 0.08)


CHANGES: dict[str, Change] = {
    "none": keep,
    "half of the ratings half a star up": raise_ratings,
    "moved to a KS distance of 0.08": move,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--data", type=Path, help="folder with ML-latest-small's ratings.csv")
    options = parser.parse_args()
    populations = {"6,000 users, 686,000 ratings": make_population(6_000)}
    if options.data:
        ratings = pd.read_csv(options.data / "ratings.csv")
        populations["ML-latest-small"] = pd.crosstab(ratings["userId"], ratings["rating"]).to_numpy()
    rows, good = drift_table(populations, options.batches)
    header = ("baseline", "batch", "change", "users", "over a threshold", "due", "99 % KS")
    notes = [
        f"{options.batches} batches a row. `over a threshold`: retraining by thresholds alone; `due` needs one",
        "above its bound without drift too. `users` and `99 % KS` (the bound) are medians.",
    ]
    report("decisions_drift", "Retraining decisions with and without drift", header, rows, notes)
    header = ("new rows", "users", "candidate's RMSE", "promoted")
    notes = [
        "100 comparisons a row with a champion of RMSE 0.87; also 19,800 test rows of 600 users, with equal difference."
    ]
    report("decisions_gate", "Promotions by the gate", header, gate_table(), notes)
    return int(not good)


def drift_table(populations: dict[str, Counts], batches: int) -> tuple[list[tuple[str, ...]], bool]:
    rows, good = [], True
    for name, baseline in populations.items():
        for size in (43_000, 2_000):
            for draw, made_of in ((draw_whole_users, "whole users"), (draw_few_ratings_each, "10 ratings a user")):
                for label, change in CHANGES.items():
                    if change is move and size < 43_000:
                        continue  # 2,000 rows of few users are often at a larger distance without drift
                    random = np.random.default_rng(17)
                    made = [change(baseline, draw(baseline, size, random), random) for _ in range(batches)]
                    over, due, bounds = zip(*(decide(baseline, batch) for batch in made), strict=True)
                    good &= (
                        np.mean(due) <= MAX_FALSE_ALARMS
                        if change is keep
                        else size < 43_000 or np.mean(due) >= MIN_FOUND
                    )
                    users = np.median([len(batch) for batch in made])
                    figures = f"{users:,.0f}", f"{np.mean(over):.1%}", f"{np.mean(due):.1%}", f"{np.median(bounds):.3f}"
                    rows.append((name, f"{size:,} rows, {made_of}", label, *figures))
    return rows, bool(good)


def decide(baseline: Counts, batch: Counts) -> tuple[bool, bool, float]:
    """Whether any score is over its threshold, whether one of those is above its bound, and the bound of KS."""
    alerts = drift_alerts(histogram(baseline), histogram(batch))
    bounds = rating_null_distribution(baseline, batch.sum(axis=1)).upper_bounds
    over = [alert for alert in alerts if alert.alert_triggered]
    due = any(alert.drift_score > bounds[alert.feature_name] for alert in over)
    return bool(over), due, bounds["rating_distribution_ks"]


def histogram(users: Counts) -> RatingHistogram:
    return RatingHistogram(tuple(users.sum(axis=0).tolist()))


def gate_table() -> list[tuple[str, ...]]:
    rows = []
    for users, each in ((860, 10), (100, 20), (20, 20)):
        for worse in (-0.02, 0.0, 0.005, 0.01, 0.02, 0.03):
            promoted = [
                gate(make_errors(600, 33, worse, seed), make_errors(users, each, worse, seed + 1_000)).promoted
                for seed in range(100)
            ]
            rows.append((f"{users * each:,}", f"{users:,}", f"{worse:+.1%}", f"{np.mean(promoted):.1%}"))
    return rows


def make_errors(users: int, rows_each: int, worse: float, seed: int) -> HoldoutErrors:
    """Errors of two models whose true RMSEs differ by ``worse`` and whose errors correlate to 0.95 on one rating."""
    random = np.random.default_rng(seed)
    rows = users * rows_each
    shared = np.sqrt(0.95) * random.normal(0, 0.87, rows)
    candidate, champion = (shared + np.sqrt(0.05) * random.normal(0, 0.87, rows) for _ in range(2))
    hardness = np.repeat(random.uniform(0.7, 1.3, users), rows_each)
    return HoldoutErrors(
        np.repeat(np.arange(users), rows_each), candidate * hardness * (1 + worse), champion * hardness
    )


if __name__ == "__main__":
    sys.exit(main())
