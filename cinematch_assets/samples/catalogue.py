"""A sample by the name that a person gives: ``ml-100k``, ``ml-latest-small``, ``synthetic`` or a folder.

Here: the choice, and laying a sample out where the platform looks for files. Not here: what each set is (a module
each).
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from cinematch_assets.samples.ml_100k import fetch_ml_100k
from cinematch_assets.samples.ml_latest_small import fetch_ml_latest_small
from cinematch_assets.samples.movielens_folder import open_movielens_folder
from cinematch_assets.samples.sample import SYNTHETIC_LICENCE, Sample, SampleError, atomic_folder, table_file
from cinematch_assets.samples.synthetic import SyntheticSpec, write_synthetic
from cinematch_assets.table_names import expected_names, is_file_of

DEFAULT_SYNTHETIC_ROWS = 100_000


def open_sample(data: str, cache: Path, *, seed: int = 0, progress: Callable[[int], None] | None = None) -> Sample:
    """The data set named ``data``, fetched or made under ``cache`` if it is not there yet.

    Args:
        data: ``ml-100k``, ``ml-latest-small``, ``synthetic``, ``synthetic:<rows>`` or a folder.
        cache: Where samples are kept; ``CINEMATCH_HOME/samples``.
        seed: Of the synthetic set.
        progress: Called with the number of synthetic ratings written since the last call.

    Raises:
        SampleError: In one sentence, why it cannot be had.
    """
    if data == "ml-100k":
        return fetch_ml_100k(cache)
    if data == "ml-latest-small":
        return fetch_ml_latest_small(cache)
    if data == "synthetic" or data.startswith("synthetic:"):
        return _synthetic(_rows_of(data), cache, seed, progress)
    return open_movielens_folder(Path(data).expanduser(), cache)


def lay_out(sample: Sample, folder: Path) -> None:
    """Put a sample's movies and ratings into ``folder``, byte for byte, replacing what was there under those names.

    Each file appears whole: it is copied under a hidden name first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for table in ("movies", "ratings"):
        source = table_file(sample.folder, table)
        if source is None:
            raise SampleError(f"{sample.folder} has no {expected_names(table)}; remove it to have it made again.")
        hidden = folder / f".{source.name}.part"
        shutil.copyfile(source, hidden)
        hidden.replace(folder / source.name)
        for other in [path for path in folder.iterdir() if is_file_of(path.name, table) and path.name != source.name]:
            other.unlink(missing_ok=True)


def _rows_of(data: str) -> int:
    """100000 for ``synthetic:100_000``."""
    _, _, rows = data.partition(":")
    if not rows and data == "synthetic":
        return DEFAULT_SYNTHETIC_ROWS
    if not re.fullmatch(r"[0-9][0-9_,]*", rows):
        raise SampleError(
            f"{data}: the number of ratings after the colon must be a whole number, as in synthetic:1_000_000."
        )
    return int(re.sub("[_,]", "", rows))


def _synthetic(rows: int, cache: Path, seed: int, progress: Callable[[int], None] | None) -> Sample:
    """A synthetic set of ``rows`` ratings, made once for each size and seed."""
    folder = cache / f"synthetic-{rows}-seed{seed}"
    if not folder.is_dir():
        with atomic_folder(folder) as filling:
            write_synthetic(filling, SyntheticSpec.of_size(rows, seed=seed), progress=progress)
    return Sample("synthetic", folder, SYNTHETIC_LICENCE)
