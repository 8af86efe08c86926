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

OURS = "cinematch_assets.definitions"
LIMIT = 1.3
HEAVY = ("evidently", "sklearn", "numba")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=7, help="fresh interpreters for each (default: %(default)s)")
    count = arguments.parse_args().rounds
    for module in ("dagster", OURS):  # once, so that bytecode is there and files are in memory
        fresh_import(module)
    seconds = rounds({module: lambda module=module: fresh_import(module) for module in ("dagster", OURS)}, count)
    cost, heavy = ratio(seconds[OURS], seconds["dagster"]), pulled_in(HEAVY)
    rows = [
        (
            f"import {module}",
            f"{statistics.median(times):.2f}",
            f"{min(times):.2f}",
            f"{ratio(times, seconds['dagster']):.2f}",
        )
        for module, times in seconds.items()
    ]
    notes = [
        f"Fresh interpreters in turns, {count} each; a ratio is the median of the rounds' own. At most {LIMIT}.",
        f"Of {', '.join(HEAVY)} it pulls in: {', '.join(heavy) or 'none'}.",
    ]
    report("imports", "What importing the definitions costs", ("", "median s", "best s", "ratio"), rows, notes)
    return int(cost > LIMIT or bool(heavy))


def fresh_import(module: str) -> float:
    """Seconds from starting an interpreter until it has imported ``module`` and ended."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


def pulled_in(modules: tuple[str, ...]) -> list[str]:
    """Which of ``modules`` are loaded after importing the definitions."""
    code = f"import sys, {OURS}; print(*[name for name in {modules!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


if __name__ == "__main__":
    sys.exit(main())
