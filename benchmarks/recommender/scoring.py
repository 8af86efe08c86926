"""Figures from recorded answers, by the code of ``cinematch evaluate``, and the table of them."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.recommender.data import SEED, TEST_SHARE, Prepared
from cinematch_assets.pairs import pair_keys
from cinematch_assets.recommender.data import Floats, Ids, UserMoviePairs
from cinematch_assets.recommender.evaluation import evaluate
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
    """One contestant's figures, with time and memory."""
    with np.load(answers, allow_pickle=False) as file:
        facts = json.loads(str(file["facts"]))
        ratings, rankings = file.get("ratings"), file.get("rankings")
    found: dict[str, Any] = {}
    users = prepared.ranked_users
    if ratings is not None:
        model = Recorded(ratings, users, np.zeros((len(users), 0), np.int32))
        measured = evaluate(model, prepared.train, prepared.test, prepared.catalogue, rankings=False).summary()
        found |= {name: measured[name] for name in OF_RATINGS}
    if rankings is not None:
        of_listed = prepared.test.where(np.isin(prepared.test.users, users))
        model = Recorded(np.zeros(len(of_listed), np.float32), users, rankings)
        measured = evaluate(model, prepared.train, of_listed, prepared.catalogue).summary()
        found |= {name: measured[name] for name in OF_RANKINGS}
    return {name: (found | facts).get(name) for name in COLUMNS} | {
        "versions": facts["versions"],
        "note": facts["note"],
    }


def report(prepared: Prepared, rows: dict[str, dict[str, Any]], machine: str, kept: Path) -> str:
    """Write the table as Markdown and JSON; return its text."""
    header = ["", *COLUMNS.values()]
    table = [[name, *(_cell(row, column) for column in COLUMNS)] for name, row in rows.items() if "missing" not in row]
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
        " timed."
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


def _cell(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    return "–" if value is None else f"{value:,.{DIGITS.get(column, 4)}f}"
