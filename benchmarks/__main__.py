"""All benchmarks, or those named: ``python -m benchmarks [imports] [load]``."""

import subprocess
import sys

ALL = ("imports", "load")


def main() -> int:
    names = sys.argv[1:] or list(ALL)
    if unknown := set(names) - set(ALL):
        sys.exit(f"{', '.join(sorted(unknown))}: no such benchmark; there are {', '.join(ALL)}.")
    return max(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in names)


if __name__ == "__main__":
    sys.exit(main())
