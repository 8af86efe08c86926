"""The next simulated batch in the local folder."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.simulate_batch import simulate_next
from cinematch_assets_tests.support.platforms import drop_history


def test_batches_are_numbered_and_have_the_wanted_rows(platform: Platform) -> None:
    drop_history(platform)
    batches = [simulate_next(platform, rows=200, seed=1).batch_id for _ in range(2)]
    assert batches == ["batch_w1", "batch_w2"]
    ratings = pd.read_csv(Path(platform.folder.spec) / "batches" / "batch_w1.csv")
    assert len(ratings) == 200


def test_drift_raises_the_ratings(platform: Platform) -> None:
    drop_history(platform)
    means = []
    for drift in (0.0, 1.0):
        batch = simulate_next(platform, drift=drift, rows=1_000, seed=1).batch_id
        means.append(pd.read_csv(Path(platform.folder.spec) / "batches" / f"{batch}.csv")["rating"].mean())
    assert means[1] - means[0] > 0.5


def test_a_folder_on_google_drive_is_read_only(platform: Platform) -> None:
    google = replace(platform, folder=SimpleNamespace(spec="gdrive:abc"))
    with pytest.raises(CinematchError, match="CINEMATCH_DRIVE=gdrive:abc is read only"):
        simulate_next(google)
