"""What ``import cinematch_assets.definitions`` costs beside ``import dagster``, and that nothing heavy comes with it.

    python -m benchmarks.imports [--rounds 7]

Exit code 1 when it is over the limit or pulls in a module that belongs to one step alone.
"""

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks.measuring import ratio, report, rounds

DAGSTER = "import dagster"
IMPORT = "import cinematch_assets.definitions"
LOAD = "from cinematch_assets.definitions import defs; defs()"
CONTESTANTS = (DAGSTER, IMPORT, LOAD)
LIMIT = 1.3
HEAVY = ("evidently", "sklearn", "numba")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=7, help="fresh interpreters for each (default: %(default)s)")
    count = arguments.parse_args().rounds
    for code in CONTESTANTS:  # once, so that bytecode is there and files are in memory
        fresh(code)
    seconds = rounds({code: lambda code=code: fresh(code) for code in CONTESTANTS}, count)
    heavy = pulled_in(HEAVY)
    rows = [
        (code, f"{statistics.median(times):.2f}", f"{min(times):.2f}", f"{ratio(times, seconds[DAGSTER]):.2f}")
        for code, times in seconds.items()
    ]
    notes = [
        f"Fresh interpreters in turns, {count} each; a ratio is the median of the rounds' own. Wanted of the import:",
        f"at most {LIMIT}. The last row is what each of Dagster's processes does then: every asset, job, sensor and",
        f"schedule is found and checked. Of {', '.join(HEAVY)} that pulls in: {', '.join(heavy) or 'none'}.",
    ]
    report("imports", "What importing the definitions costs", ("", "median s", "best s", "ratio"), rows, notes)
    return int(ratio(seconds[IMPORT], seconds[DAGSTER]) > LIMIT or bool(heavy))


def fresh(code: str) -> float:
    """Seconds from starting an interpreter until it has run ``code`` and ended."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def pulled_in(modules: tuple[str, ...]) -> list[str]:
    """Which of ``modules`` are there when the definitions have been loaded."""
    code = f"{LOAD}; import sys; print(*[name for name in {modules!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


if __name__ == "__main__":
    sys.exit(main())
