"""A Dagster instance in memory for each test."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    storage = tmp_path / "instance"
    storage.mkdir()
    with dg.DagsterInstance.ephemeral(tempdir=str(storage)) as made:
        yield made
