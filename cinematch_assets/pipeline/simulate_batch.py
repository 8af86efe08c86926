"""The next plausible batch, into the local folder.

Here: which folder. Not here: how a batch is made up (``samples.simulate``).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.drive.folder import GOOGLE_PREFIX
from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.models.artifacts import load_champion
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.samples.simulate import RatingModel, SimulatedBatch, simulate_into
from cinematch_assets.warehouse.champion import read_champion


def simulate_next(
    platform: Platform, *, drift: float = 0.0, rows: int | None = None, seed: int | None = None
) -> SimulatedBatch:
    """Write ``batches/batch_w<n>.csv``, going by the ratings that lie in the folder.

    Raises:
        CinematchError: the folder is on Google Drive, into which nothing is ever written.
    """
    if platform.folder.spec.startswith(GOOGLE_PREFIX):
        raise CinematchError(f"CINEMATCH_DRIVE={platform.folder.spec} is read only: simulate needs a local folder")
    folder = Path(platform.folder.spec)
    return simulate_into(folder, drift=drift, rows=rows, seed=seed, taste=_champions_taste(platform))


def _champions_taste(platform: Platform) -> RatingModel | None:
    """What the champion expects, so that a batch without drift is no harder for it than its test split."""
    with platform.warehouse.connect() as connection:
        if read_champion(connection) is None:
            return None
    champion, model = load_champion(platform)

    def taste(users: NDArray[np.int32], movies: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        expected = model.predict(users, movies)
        usual = float((champion.metrics or {})["rmse"])
        return expected.ratings, np.full(len(users), usual, np.float32) if expected.std is None else expected.std

    return taste
