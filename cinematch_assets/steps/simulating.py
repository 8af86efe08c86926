"""The next plausible batch, into the local folder.

Here: which folder. Not here: how a batch is made up (``samples.simulate``).
"""

from pathlib import Path

from cinematch_assets.drive.folder import GOOGLE_PREFIX
from cinematch_assets.errors import CinematchError
from cinematch_assets.samples.simulate import SimulatedBatch, simulate_into
from cinematch_assets.steps.platform import Platform


def simulate_next(
    platform: Platform, *, drift: float = 0.0, rows: int | None = None, seed: int | None = None
) -> SimulatedBatch:
    """Write ``batches/batch_w<n>.csv``, going by the ratings that lie in the folder.

    Raises:
        CinematchError: the folder is on Google Drive, into which nothing is ever written.
    """
    if platform.folder.spec.startswith(GOOGLE_PREFIX):
        raise CinematchError(f"CINEMATCH_DRIVE={platform.folder.spec} is read only: simulate needs a local folder")
    return simulate_into(Path(platform.folder.spec), drift=drift, rows=rows, seed=seed)
