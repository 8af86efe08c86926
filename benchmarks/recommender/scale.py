"""Size: a sweep of ALS against implicit's, recommendations for all users, memory, and how cost grows.

Here: the order of events and the tables. Not here: the work itself (``scale_worker``), which runs in processes of its
own, ours and the peer's in turns, so that a noisy minute hits both.
"""

import json
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import machine, ratio
from benchmarks.recommender.environment import Peers
from cinematch_assets.samples.synthetic import SyntheticSpec, make_synthetic

HERE = Path(__file__).parent
SIZES = (1_000_000, 3_000_000, 8_000_000, 24_000_000)
ROUNDS = 3
LARGEST = SyntheticSpec(users=162_000, movies=59_000, ratings=24_000_000)


def compare(peers: Peers, results: Path) -> None:
    """One row a size, written as soon as it is there; the exponent over all sizes so far."""
    results.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        rows.append(_size(size, peers))
        points = [(row["ratings"], row["cinematch"]["sweep_seconds"]) for row in rows]
        facts = {"machine": machine(), "rows": rows, "exponent": exponent(points) if len(points) > 1 else None}
        (results / "scale.json").write_text(json.dumps(facts, indent=1) + "\n")
        (results / "scale.md").write_text(table(facts))
    print(table(facts))


def exponent(points: list[tuple[int, float]]) -> float:
    """The slope of log cost over log size: 1 means that ten times the ratings cost ten times as much."""
    sizes, seconds = zip(*points, strict=True)
    return float(np.polyfit([math.log(size) for size in sizes], [math.log(second) for second in seconds], 1)[0])


def table(facts: dict[str, Any]) -> str:
    """The figures as Markdown: the fit, then the recommendations."""
    fit = ["ratings", "sweep, s", "implicit, s", "times faster", "fit of 8 sweeps, s", "peak MB", "implicit, MB"]
    ranking = ["ratings", "implicit, s", "ours by factors, s", "times its time", "as shipped, s", "times its time"]
    stored = ["ranker's fit, s", "its peak MB", "stored MB"]
    rows = [(row, row["cinematch"], row.get("implicit", {})) for row in facts["rows"]]
    return "\n".join(
        [
            "# Scale: 64 factors, synthetic ratings",
            "",
            _row(fit),
            _row(["---"] * len(fit)),
            *(
                _row(
                    [
                        f"{row['ratings']:,}",
                        _number(us["sweep_seconds"]),
                        _number(peer.get("sweep_seconds")),
                        _number(row.get("sweep_ratio")),
                        _number(us["fit_seconds"]),
                        _rounded(us["peak_mb"]),
                        _rounded(peer.get("peak_mb")),
                    ]
                )
                for row, us, peer in rows
            ),
            "",
            f"A sweep costs the ratings to the power of {_number(facts['exponent'])}. It solves users and movies once,",
            "by conjugate gradient: implicit 0.7.3 takes three steps on all cells, ours one on those rated. Peak",
            "memory holds the ratings handed in, the fit and the interpreter.",
            "",
            _row([*ranking, *stored]),
            _row(["---"] * len([*ranking, *stored])),
            *(
                _row(
                    [
                        f"{row['ratings']:,}",
                        _number(peer.get("lists_seconds")),
                        _number(us["lists_seconds"]),
                        _number(row.get("lists_ratio")),
                        _number(us["ranker_lists_seconds"]),
                        _number(row.get("ranker_ratio")),
                        _number(us["ranker_fit_seconds"]),
                        _rounded(us["ranker_peak_mb"]),
                        _rounded(us["ranker_mb"]),
                    ]
                )
                for row, us, peer in rows
            ),
            "",
            "Ten movies for every user out of all, without those rated: by as many factors as implicit has, and by the",
            "ranker that is shipped: EASE, implicit ALS, predicted ratings, and its cap on franchises.",
            "",
            f"{ROUNDS} rounds in turns, medians; a ratio is the median of the rounds' own. The ranker is fitted once.",
            f"{facts['machine']}.",
            "",
        ]
    )


def _size(ratings: int, peers: Peers) -> dict[str, Any]:
    folder = HERE / ".cache" / f"scale-{ratings}"
    if not (folder / "ratings.npy").exists():
        _make(ratings, folder)
    found: dict[str, list[dict[str, Any]]] = {"cinematch": [], "implicit": []}
    for number in range(ROUNDS):
        for who, python in (("cinematch", Path(sys.executable)), ("implicit", peers.python)):
            if who == "implicit" and "implicit" in peers.missing:
                continue
            order = [str(python), str(HERE / "scale_worker.py"), who, str(folder), str(number)]
            done = subprocess.run(order, capture_output=True, text=True, check=True)
            found[who].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{ratings:,}: round {number + 1}: {who}: {found[who][-1]}", file=sys.stderr, flush=True)
    row: dict[str, Any] = {"ratings": ratings} | {who: _medians(facts) for who, facts in found.items() if facts}
    if found["implicit"]:
        row["sweep_ratio"] = ratio(*(_all(found[who], "sweep_seconds") for who in ("implicit", "cinematch")))
        theirs = _all(found["implicit"], "lists_seconds")
        row["lists_ratio"] = ratio(_all(found["cinematch"], "lists_seconds"), theirs)
        row["ranker_ratio"] = ratio(_all(found["cinematch"], "ranker_lists_seconds"), theirs)
    return row


def _make(ratings: int, folder: Path) -> None:
    spec = LARGEST if ratings == LARGEST.ratings else SyntheticSpec.of_size(ratings)
    frame, _, _ = make_synthetic(spec)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "users.npy", frame["userId"].to_numpy(np.int32) - 1)
    np.save(folder / "movies.npy", frame["movieId"].to_numpy(np.int32) - 1)
    np.save(folder / "shape.npy", np.array([spec.users, spec.movies]))
    np.save(folder / "ratings.npy", frame["rating"].to_numpy(np.float32))


def _all(facts: list[dict[str, Any]], name: str) -> list[float]:
    return [float(fact[name]) for fact in facts]


def _medians(facts: list[dict[str, Any]]) -> dict[str, Any]:
    names = sorted({name for fact in facts for name in fact})
    return {name: statistics.median(fact[name] for fact in facts if name in fact) for name in names}


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}"


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
