"""One command: ``python -m benchmarks.recommender [DATA] [scale] [catalogue] [--folder DIR]``; DATA: sets of ``data``.

Makes an environment for the peers beside this file, gives every contestant the same training rows in a process of its
own, scores all answers with the code of ``cinematch evaluate``, and keeps a table for each data set in ``results/``.

Here: the order of events. Not here: data (``data``), contestants (``ours``, ``peers``), figures (``scoring``), scale
(``scale``), the size of the catalogue (``catalogue_size``).
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measuring import machine
from benchmarks.recommender import catalogue_size, environment, scale, scoring
from benchmarks.recommender.data import DATA, Prepared, prepare, prepare_folder

HERE = Path(__file__).parent
ALL = (*DATA, "scale", "catalogue")
TIME_LIMIT_S, HUGE_TIME_LIMIT_S = 1_800, 3_600

PACKAGE = {
    "popularity": "numpy",
    "cinematch": "",
    "cinematch als": "",
    "implicit ALS, tuned": "implicit",
    "LensKit BiasedMF": "lenskit",
    "cornac MF": "cornac",
    "Surprise SVD": "scikit-surprise",
    "Surprise SVD++": "scikit-surprise",
    "Surprise KNNBaseline": "scikit-surprise",
    "Spark ALS": "pyspark",
    "graded EASE": "numpy",
}
"""Contestants in the order in which they run, the longest last; ours need nothing from the peers' environment."""

SMALL_ONLY = {
    "Surprise SVD++": "its cost grows with the square of what a user rated",
    "Surprise KNNBaseline": "it compares all pairs of movies in matrices of doubles",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recommender", description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", default=ALL, help=f"any of {', '.join(ALL)}")
    parser.add_argument(
        "--folder", type=Path, help="compare on the MovieLens files of this folder, and on no other data"
    )
    parser.add_argument("--only", nargs="*", help="contestants to run again; the others keep their rows")
    asked = parser.parse_args()
    if unknown := set(asked.data) - {*ALL}:
        parser.error(f"{', '.join(sorted(unknown))}: no such data; there are {', '.join(ALL)}")
    if asked.folder and not all((asked.folder / f"{table}.csv").is_file() for table in ("ratings", "movies")):
        parser.error(f"{asked.folder}: there are no ratings.csv and movies.csv")
    if "catalogue" in asked.data and not asked.folder:
        catalogue_size.measure(HERE / "results", HERE / ".cache")
    peers = environment.ready(HERE / ".venv-peers")
    if asked.folder:
        compare(prepare_folder(asked.folder, HERE / ".cache"), peers, asked.only)
        return
    for name in asked.data:
        if name == "catalogue":
            continue
        if name == "scale":
            scale.compare(peers, HERE / "results")
        else:
            compare(prepare(name, HERE / ".cache"), peers, asked.only)


def compare(prepared: Prepared, peers: environment.Peers, only: list[str] | None) -> None:
    """One table: every contestant on one split. A row is kept as soon as it is there."""
    kept = HERE / "results" / f"{prepared.name}.json"
    before = json.loads(kept.read_text()) if only and kept.exists() else {}
    rows: dict[str, dict[str, Any]] = before["rows"] if before.get("data") == prepared.about else {}
    text = ""
    for contestant in PACKAGE:
        if only and contestant not in only:
            continue
        rows[contestant] = _row(prepared, contestant, peers)
        scoring.add_intervals(prepared, rows, {name for name, package in PACKAGE.items() if package})
        print(f"{prepared.name}: {contestant}: {rows[contestant]}", file=sys.stderr, flush=True)
        ours_first = sorted(rows, key=lambda name: (PACKAGE[name] != "", [*PACKAGE].index(name)))
        ordered = {name: rows[name] for name in ours_first}
        text = scoring.report(prepared, ordered, machine(), kept)
    print(text)


def _row(prepared: Prepared, contestant: str, peers: environment.Peers) -> dict[str, Any]:
    """The contestant's figures, or why there are none."""
    package = PACKAGE[contestant]
    if package in peers.missing:
        return {"missing": peers.missing[package]}
    if prepared.large and contestant in SMALL_ONLY:
        return {"missing": f"not asked at this size: {SMALL_ONLY[contestant]}"}
    answers = scoring.answers_file(prepared, contestant)
    answers.unlink(missing_ok=True)
    python = peers.python if package else Path(sys.executable)
    command = [str(python), str(HERE / "worker.py"), contestant, str(prepared.folder), str(answers)]
    limit = HUGE_TIME_LIMIT_S if prepared.huge else TIME_LIMIT_S
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"missing": f"not done within {limit:,} s"}
    if done.returncode != 0:
        return {"missing": f"failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"}
    return scoring.figures(prepared, answers)


if __name__ == "__main__":
    main()
