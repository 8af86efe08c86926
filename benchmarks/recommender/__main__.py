"""One command: ``python -m benchmarks.recommender [ml-100k] [ml-latest-small] [1m] [scale]``.

Makes an environment for the peers beside this file, gives every contestant the same training rows in a process of its
own, scores all answers with the code of ``cinematch evaluate``, and keeps a table for each data set in ``results/``.

Here: the order of events. Not here: data (``data``), contestants (``ours``, ``peers``), figures (``scoring``), scale
(``scale``).
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measuring import machine
from benchmarks.recommender import environment, scale, scoring
from benchmarks.recommender.data import DATA, Prepared, prepare

HERE = Path(__file__).parent
TIME_LIMIT_S = 1_800

OURS = {"cinematch": "all that is shipped", "cinematch als": "least squares alone"}
PEERS = {
    "Surprise SVD": "scikit-surprise",
    "Surprise SVD++": "scikit-surprise",
    "Surprise KNNBaseline": "scikit-surprise",
    "LensKit BiasedMF": "lenskit",
    "cornac MF": "cornac",
    "Spark ALS": "pyspark",
    "implicit ALS, tuned": "implicit",
    "graded EASE": "numpy",
    "popularity": "numpy",
}
SMALL_ONLY = {"Surprise SVD++", "Surprise KNNBaseline"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recommender", description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", default=[*DATA, "scale"], help=f"any of {', '.join(DATA)}, scale")
    parser.add_argument("--only", nargs="*", help="contestants to run again; the others keep their rows")
    asked = parser.parse_args()
    if unknown := set(asked.data) - {*DATA, "scale"}:
        parser.error(f"{', '.join(sorted(unknown))}: no such data; there are {', '.join(DATA)} and scale")
    peers = environment.ready(HERE / ".venv-peers")
    for name in asked.data:
        if name == "scale":
            scale.compare(peers, HERE / "results")
        else:
            compare(prepare(name, HERE / ".cache"), peers, asked.only)


def compare(prepared: Prepared, peers: environment.Peers, only: list[str] | None) -> None:
    """One table: every contestant on one split."""
    kept = HERE / "results" / f"{prepared.name}.json"
    rows: dict[str, dict[str, Any]] = json.loads(kept.read_text())["rows"] if only and kept.exists() else {}
    for contestant in [*OURS, *PEERS]:
        if (only and contestant not in only) or (contestant in SMALL_ONLY and prepared.large):
            continue
        package = PEERS.get(contestant, "")
        if missing := peers.missing.get(package):
            rows[contestant] = {"missing": missing}
        else:
            python = peers.python if package else Path(sys.executable)
            rows[contestant] = _answered(prepared, contestant, python)
        print(f"{prepared.name}: {contestant}: {rows[contestant]}", file=sys.stderr, flush=True)
    ordered = {name: rows[name] for name in [*OURS, *PEERS] if name in rows}
    scoring.report(prepared, ordered, machine(), kept)


def _answered(prepared: Prepared, contestant: str, python: Path) -> dict[str, Any]:
    """The contestant's figures, or why there are none."""
    answers = prepared.folder / "answers.npz"
    answers.unlink(missing_ok=True)
    command = [str(python), str(HERE / "worker.py"), contestant, str(prepared.folder), str(answers)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"missing": f"not done within {TIME_LIMIT_S} s"}
    if done.returncode != 0:
        return {"missing": f"failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"}
    return scoring.figures(prepared, answers)


if __name__ == "__main__":
    main()
