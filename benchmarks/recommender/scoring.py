"""Figures from recorded answers, by the code of ``cinematch evaluate``, and the table of them."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.recommender.data import LIKED, SEED, TEST_SHARE, Prepared
from benchmarks.recommender.intervals import PerUser, intervals
from cinematch_assets.pairs import pair_keys
from cinematch_assets.recommender.data import Floats, Ids, UserMoviePairs
from cinematch_assets.recommender.evaluation import K, evaluate, ndcg_by_user
from cinematch_assets.recommender.protocol import Predictions, TopN

COLUMNS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "precision_at_10": "P@10, own test items",
    "catalogue_precision_at_10": "P@10, catalogue",
    "catalogue_ndcg_at_10": "nDCG@10",
    "coverage": "coverage",
    "novelty": "novelty, bits",
    "fit_seconds": "fit, s",
    "predict_seconds": "predict, s",
    "lists_seconds": "lists, s",
    "peak_mb": "peak MB",
}
DIGITS = {"coverage": 3, "novelty": 2, "fit_seconds": 2, "predict_seconds": 2, "lists_seconds": 2, "peak_mb": 0}
OF_RATINGS = ("rmse", "mae", "precision_at_10")
WITH_INTERVALS = ("rmse", "catalogue_ndcg_at_10")
OF_RANKINGS = ("catalogue_precision_at_10", "catalogue_ndcg_at_10", "coverage", "novelty")


@dataclass(frozen=True)
class Recorded:
    """A model that answers what a contestant answered."""

    ratings: Floats
    users: Ids
    listed: Ids
    method: str = "recorded"

    def predict(self, users: Ids, _movies: Ids) -> Predictions:
        """The recorded ratings, row by row."""
        known = np.ones(len(users), np.bool_)
        return Predictions(self.ratings[: len(users)], None, known, known)

    def recommend(self, users: Ids, k: int, *, seen: UserMoviePairs, candidates: Ids | None = None) -> TopN:
        """The recorded rankings."""
        assert np.array_equal(users, self.users)
        assert candidates is None
        listed = self.listed[:, :k]
        listed_pairs = pair_keys(users[:, None], listed)
        assert not np.isin(listed_pairs, pair_keys(seen.users, seen.movies)).any(), "a training item is recommended"
        ranks = np.broadcast_to(np.arange(1, listed.shape[1] + 1, dtype=np.int32), listed.shape)
        owners = np.broadcast_to(users[:, None], listed.shape)
        kept = listed >= 0
        scores = -ranks[kept].astype(np.float32)
        return TopN(owners[kept], ranks[kept], listed[kept], scores, scores)


def figures(prepared: Prepared, answers: Path) -> dict[str, Any]:
    """One contestant's figures, with time and memory; what they are of single users is kept beside the answers."""
    with np.load(answers, allow_pickle=False) as file:
        facts = json.loads(str(file["facts"]))
        ratings, rankings = file.get("ratings"), file.get("rankings")
    found: dict[str, Any] = {}
    of_users: dict[str, NDArray[np.float64]] = {}
    users = prepared.ranked_users
    if ratings is not None:
        model = Recorded(ratings, users, np.zeros((len(users), 0), np.int32))
        evaluation = evaluate(model, prepared.train, prepared.test, prepared.catalogue, rankings=False)
        measured = evaluation.summary()
        found |= {name: measured[name] for name in OF_RATINGS}
        _, user = np.unique(evaluation.users, return_inverse=True)
        of_users["squared_errors"] = np.bincount(user, weights=evaluation.squared_errors)
        of_users["rows"] = np.bincount(user).astype(np.float64)
    if rankings is not None:
        of_listed = prepared.test.where(np.isin(prepared.test.users, users))
        model = Recorded(np.zeros(len(of_listed), np.float32), users, rankings)
        measured = evaluate(model, prepared.train, of_listed, prepared.catalogue).summary()
        found |= {name: measured[name] for name in OF_RANKINGS}
        liked = of_listed.where(of_listed.ratings >= LIKED)
        of_users["ndcg"] = ndcg_by_user(users, rankings[:, :K].astype(np.int32), liked)
    np.savez(_of_users_file(answers), **of_users)
    return {name: (found | facts).get(name) for name in COLUMNS} | {
        "versions": facts["versions"],
        "note": facts["note"],
    }


def add_intervals(prepared: Prepared, rows: dict[str, dict[str, Any]], peers: set[str]) -> None:
    """Add to each row ± and the difference to the best peer, of contestants whose figures of single users are kept."""
    rmse: dict[str, PerUser] = {}
    ndcg: dict[str, PerUser] = {}
    for name, row in rows.items():
        file = _of_users_file(answers_file(prepared, name))
        if "missing" in row or not file.exists():
            continue
        with np.load(file, allow_pickle=False) as kept:
            if "rows" in kept:
                rmse[name] = PerUser(kept["squared_errors"], kept["rows"], is_root=True)
            if "ndcg" in kept:
                ndcg[name] = PerUser(kept["ndcg"], np.ones(len(kept["ndcg"])))
    for column, found in (("rmse", intervals(rmse, peers)), ("catalogue_ndcg_at_10", intervals(ndcg, peers))):
        for name, interval in found.items():
            rows[name].setdefault("intervals", {})[column] = asdict(interval)


def answers_file(prepared: Prepared, contestant: str) -> Path:
    """Where a contestant's answers are kept."""
    return prepared.folder / f"answers-{re.sub('[^a-z0-9+]+', '-', contestant.lower())}.npz"


def _of_users_file(answers: Path) -> Path:
    return answers.with_suffix(".users.npz")


def report(prepared: Prepared, rows: dict[str, dict[str, Any]], machine: str, kept: Path) -> str:
    """Write the table as Markdown and JSON; return its text."""
    header = ["", *(heading for column in COLUMNS for heading in _headings(column))]
    table = [
        [name, *(cell for column in COLUMNS for cell in _cells(row, column))]
        for name, row in rows.items()
        if "missing" not in row
    ]
    notes = [
        f"* {name} ({row['versions']}): {row['note']}"
        for name, row in rows.items()
        if "missing" not in row and row["note"]
    ]
    missing = [f"* {name} is missing: {row['missing']}" for name, row in rows.items() if "missing" in row]
    about = (
        f"{prepared.about}. {len(prepared.train):,} training and {len(prepared.test):,} test rows, random"
        f" {TEST_SHARE:.0%} of them, seed {SEED}; {len(prepared.catalogue):,} movies. Figures as `cinematch evaluate`"
        " defines them; rankings are over the catalogue without training items, and a test rating of 4 or more is"
        f" relevant; they were asked for {len(prepared.ranked_users):,} users, the same for all. Every contestant had a"
        " process of its own; peak memory is that of the process with its children, imports included; compiling is not"
        " timed. ± is half the width of a 95 % interval by bootstrap over users; in the columns of differences to the"
        " best peer the same users are drawn for both, and an interval without 0 shows one of them better."
    )
    day = date.today().isoformat()  # noqa: DTZ011 - the local day
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *table]]
    text = "\n".join([f"# Recommenders on {prepared.name}", "", *lines, "", about, "", f"{day}. {machine}.", ""])
    text += "\n".join([*notes, *missing, ""])
    kept.parent.mkdir(exist_ok=True)
    kept.with_suffix(".md").write_text(text, encoding="utf-8")
    facts = {"date": day, "machine": machine, "data": prepared.about, "about": about, "rows": rows}
    kept.write_text(json.dumps(facts, indent=1) + "\n")
    return text


def _headings(column: str) -> list[str]:
    return [COLUMNS[column], f"{COLUMNS[column]}, to best peer"] if column in WITH_INTERVALS else [COLUMNS[column]]


def _cells(row: dict[str, Any], column: str) -> list[str]:
    """The figure, for some columns with ± and in a second cell its difference to the best peer."""
    value = _cell(row, column)
    if column not in WITH_INTERVALS:
        return [value]
    found = row.get("intervals", {}).get(column)
    if found is None:
        return [value, "–"]
    shown = f"{value} ± {found['half_width']:.4f}"
    if found["peer"] is None:
        return [shown, "is it" if value != "–" else "–"]
    return [shown, f"{found['difference']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"]


def _cell(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    return "–" if value is None else f"{value:,.{DIGITS.get(column, 4)}f}"
