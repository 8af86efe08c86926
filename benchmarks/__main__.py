"""All benchmarks but the recommender's, or those named: ``python -m benchmarks imports load``.

The recommender's makes environments for its peers and takes much longer: ``python -m benchmarks.recommender``.
``end_to_end`` takes long too, and runs by its name alone.
"""

import subprocess
import sys

ALL = ("imports", "load", "demo", "drift", "decisions", "drive", "drive_faults", "many_batches")
LONG = ("recommender", "end_to_end")


def main() -> int:
    names = sys.argv[1:] or list(ALL)
    if unknown := set(names) - {*ALL, *LONG}:
        sys.exit(f"{', '.join(sorted(unknown))}: no such benchmark; there are {', '.join([*ALL, *LONG])}.")
    return max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in names)


if __name__ == "__main__":
    sys.exit(main())
