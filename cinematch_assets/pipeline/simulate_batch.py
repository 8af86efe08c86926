"""Write the next simulated batch into the local folder.

Here: which folder, and the champion's predictions as what users would rate. Not here: how a batch is drawn
(``samples.simulate``).
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
    """Write ``batches/batch_w<n>.csv``, simulated from the ratings in the folder.

    Raises:
        CinematchError: the folder is on Google Drive, which is read only here.
    """
    if platform.folder.spec.startswith(GOOGLE_PREFIX):
        raise CinematchError(f"CINEMATCH_DRIVE={platform.folder.spec} is read only: simulate needs a local folder")
    folder = Path(platform.folder.spec)
    return simulate_into(folder, drift=drift, rows=rows, seed=seed, rating_model=_champion_predictions(platform))


def _champion_predictions(platform: Platform) -> RatingModel | None:
    """Predict with the champion, so that a batch without drift is no harder for it than its test split."""
    if platform.warehouse.run(read_champion) is None:
        return None
    champion, model = load_champion(platform)

    def predict(users: NDArray[np.int32], movies: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        expected = model.predict(users, movies)
        usual = float((champion.metrics or {})["rmse"])
        return expected.ratings, np.full(len(users), usual, np.float32) if expected.std is None else expected.std

    return predict
