"""Real data sets, where they are at hand: ``CINEMATCH_TEST_DATA`` names the folder that holds them."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("CINEMATCH_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def find_case(name: str) -> Path:
    """The folder of small inputs that once failed, such as ``comma_genres``; the test is skipped without it."""
    folder = DATA.parent / "cases" / name
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: its inputs are not part of the project")
    return folder


def find_data(name: str) -> Path:
    """The folder of a data set, such as ``ml-latest-small``; the test is skipped without it."""
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: set CINEMATCH_TEST_DATA to the folder that holds {name}/")
    return folder
