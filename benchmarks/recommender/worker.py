"""One contestant in a process of its own: fit, answer, and what that cost. Runs in the peers' environment or ours.

Here: the order of events and the measuring. Not here: the contestants, scoring.
"""

import importlib
import json
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

K = 10


class Peak:
    """Peak memory of this process and its children together, polled."""

    def __init__(self) -> None:
        self.bytes = 0
        self._process = psutil.Process()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            total = self._process.memory_info().rss
            for child in self._process.children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.bytes = max(self.bytes, total)
            time.sleep(0.05)

    def megabytes(self) -> float:
        """The peak so far; Linux's own mark where it is higher, which no polling can miss."""
        status = Path("/proc/self/status")
        mark = int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) * 1024 if status.exists() else 0
        return max(self.bytes, mark) / 1e6


def main() -> None:
    name, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    module = importlib.import_module(f"benchmarks.recommender.{'ours' if name.startswith('cinematch') else 'peers'}")
    split = dict(np.load(folder / "split.npz"))
    contestant = module.CONTESTANTS[name](folder)
    peak = Peak()
    facts: dict[str, Any] = {}
    contestant.prepare(split)
    start = time.perf_counter()
    contestant.fit(split)
    facts["fit_seconds"] = time.perf_counter() - start
    answers: dict[str, Any] = {}
    start = time.perf_counter()
    ratings = contestant.predict(split["test_users"], split["test_movies"])
    if ratings is not None:
        facts["predict_seconds"] = time.perf_counter() - start
        answers["ratings"] = np.clip(ratings, split["ratings"].min(), split["ratings"].max()).astype(np.float32)
    start = time.perf_counter()
    rankings = contestant.recommend(split["ranked_users"], K)
    if rankings is not None:
        facts["lists_seconds"] = time.perf_counter() - start
        answers["rankings"] = rankings.astype(np.int32)
    facts["peak_mb"] = peak.megabytes()
    facts["versions"] = contestant.versions
    facts["note"] = contestant.note
    np.savez(out, facts=np.array(json.dumps(facts)), **answers)


if __name__ == "__main__":
    main()
