"""The files of ``<home>/drive`` into the tables of the embedded server, as the assets do it.

Prints seconds and peak GB. For ``load``, which needs it in a process of its own: the peak is this process's resident
memory, from its start.
"""

import resource
import sys
import time
from pathlib import Path

from cinematch_assets.pipeline.ingest.land_tables import land_table
from cinematch_assets.pipeline.ingest.load_tables import load_movies_file, load_ratings_file
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings


def main() -> None:
    platform = Platform.open(Settings.from_env({"CINEMATCH_HOME": str(Path(sys.argv[1]).resolve())}))
    start = time.perf_counter()
    steps = {
        "landed": lambda: [land_table(platform, table) for table in ("movies", "ratings")],
        "movies loaded": lambda: load_movies_file(platform),
        "ratings loaded": lambda: load_ratings_file(platform),
    }
    for name, step in steps.items():
        began = time.perf_counter()
        result = step()
        print(f"{name}: {time.perf_counter() - began:.1f} s, peak so far {peak_gb():.2f} GB", file=sys.stderr)
    assert result.counts.accepted == result.counts.read
    print(f"{time.perf_counter() - start:.1f} {peak_gb():.2f}")


def peak_gb() -> float:
    """The most memory that this process held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
