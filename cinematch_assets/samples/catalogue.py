"""Open a sample by name: ``ml-100k``, ``ml-latest-small``, ``synthetic`` or a folder.

Here: the choice, and copying a sample into the platform's folder. Not here: fetching a set (``ml_100k``,
``ml_latest_small``, ``movielens_folder``) or making one (``synthetic``).
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from cinematch_assets.samples.ml_100k import fetch_ml_100k
from cinematch_assets.samples.ml_latest_small import fetch_ml_latest_small
from cinematch_assets.samples.movielens_folder import open_movielens_folder
from cinematch_assets.samples.sample import SYNTHETIC_LICENCE, Sample, SampleError, table_file
from cinematch_assets.samples.synthetic import SyntheticSpec, write_synthetic
from cinematch_assets.storage.atomic_file import unfinished_file, unfinished_folder
from cinematch_assets.table_names import expected_names, is_file_of

DEFAULT_SYNTHETIC_ROWS = 100_000


def open_sample(data: str, cache: Path, *, seed: int = 0, progress: Callable[[int], None] | None = None) -> Sample:
    """Open the data set named ``data``; fetch or make it under ``cache`` when it is not there yet.

    Args:
        data: ``ml-100k``, ``ml-latest-small``, ``synthetic``, ``synthetic:<rows>`` or a folder.
        cache: Where samples are kept; ``CINEMATCH_HOME/samples``.
        seed: Of the synthetic set.
        progress: Called with the number of synthetic ratings written since the last call.

    Raises:
        SampleError: It cannot be fetched or made.
    """
    if data == "ml-100k":
        return fetch_ml_100k(cache)
    if data == "ml-latest-small":
        return fetch_ml_latest_small(cache)
    if data == "synthetic" or data.startswith("synthetic:"):
        return _synthetic(_rows_of(data), cache, seed, progress)
    return open_movielens_folder(Path(data).expanduser(), cache)


def lay_out(sample: Sample, folder: Path) -> None:
    """Copy a sample's movies and ratings into ``folder`` byte for byte, each atomically, replacing former ones.

    Raises:
        SampleError: The sample lacks one of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for table in ("movies", "ratings"):
        source = table_file(sample.folder, table)
        if source is None:
            raise SampleError(f"{sample.folder} has no {expected_names(table)}; remove it to have it made again.")
        with unfinished_file(folder / source.name) as unfinished:
            shutil.copyfile(source, unfinished)
        for other in [path for path in folder.iterdir() if is_file_of(path.name, table) and path.name != source.name]:
            other.unlink(missing_ok=True)


def _rows_of(data: str) -> int:
    """Return 100000 for ``synthetic:100_000``."""
    _, _, rows = data.partition(":")
    if not rows and data == "synthetic":
        return DEFAULT_SYNTHETIC_ROWS
    if not re.fullmatch(r"[0-9][0-9_,]*", rows):
        raise SampleError(
            f"{data}: the number of ratings after the colon must be a whole number, as in synthetic:1_000_000."
        )
    return int(re.sub("[_,]", "", rows))


def _synthetic(rows: int, cache: Path, seed: int, progress: Callable[[int], None] | None) -> Sample:
    """Return a synthetic set of ``rows`` ratings, made once for each size and seed."""
    folder = cache / f"synthetic-{rows}-seed{seed}"
    if not folder.is_dir():
        with unfinished_folder(folder) as filling:
            write_synthetic(filling, SyntheticSpec.of_size(rows, seed=seed), progress=progress)
    return Sample("synthetic", folder, SYNTHETIC_LICENCE)
