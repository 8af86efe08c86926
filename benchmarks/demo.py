"""The demo on ML-100K from an empty home, once installed and with the data at hand: seconds, and where they go.

    python -m benchmarks.demo [--data ml-100k]

Exit code 1 when it takes longer than it may.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import report
from cinematch_assets.samples.catalogue import open_sample
from cinematch_assets.warehouse.embedded import stop_server

LIMIT_S = 90.0
HEADING = "Time by phase"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k")
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory(prefix="cm-bench-") as home:
        Path(home).chmod(0o755)  # the server's user has to pass
        open_sample(data, Path(home) / "samples")
        seconds, said = run_demo(data, home)
        stop_server(Path(home))
    rows = [*stages(said), ("all, from command to prompt", f"{seconds:.1f}")]
    notes = [
        f"`cinematch demo --data {data}` in an empty CINEMATCH_HOME, the data fetched before. At most {LIMIT_S:g} s."
    ]
    report("demo", "The demo, and where its time goes", ("", "seconds"), rows, notes)
    return int(seconds > LIMIT_S)


def run_demo(data: str, home: str) -> tuple[float, str]:
    """Wall time of the command in a fresh process, and what it printed."""
    command = shutil.which("cinematch", path=str(Path(sys.executable).parent)) or "cinematch"
    start = time.perf_counter()
    done = subprocess.run(
        [command, "demo", "--data", data],
        env=os.environ | {"CINEMATCH_HOME": home, "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"cinematch demo ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return time.perf_counter() - start, done.stdout


def stages(said: str) -> list[tuple[str, str]]:
    """The rows of the demo's own last table: words, then a number."""
    if HEADING not in said:
        sys.exit(f"cinematch demo no longer says {HEADING!r}.")
    rows = []
    for line in said.split(HEADING, 1)[1].splitlines():
        name, _, number = line.strip(" │|┃").rpartition(" ")
        if number.replace(".", "", 1).isdigit() and name:
            rows.append((name.strip(" │|┃"), f"{float(number):.1f}"))
    return rows


if __name__ == "__main__":
    sys.exit(main())
