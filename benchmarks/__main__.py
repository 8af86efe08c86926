"""All benchmarks but the recommender's, or those named: ``python -m benchmarks imports load``.

The recommender's makes environments for its peers and takes much longer: ``python -m benchmarks.recommender``.
"""

import subprocess
import sys

ALL = ("imports", "load", "demo", "drift", "decisions", "drive", "drive_faults", "many_batches")


def main() -> int:
    names = sys.argv[1:] or list(ALL)
    if unknown := set(names) - {*ALL, "recommender"}:
        sys.exit(f"{', '.join(sorted(unknown))}: no such benchmark; there are {', '.join(ALL)}.")
    return max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in names)


if __name__ == "__main__":
    sys.exit(main())
