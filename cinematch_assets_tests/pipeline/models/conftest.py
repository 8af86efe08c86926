"""A platform with a trained champion, shared by the tests of this package that do not change it for long."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from cinematch_assets.pipeline.models.gate_candidate import GatedCandidate, gate_candidate
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import drop_history, make_platform, take_in_history


@pytest.fixture(scope="package")
def gated(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Callable[[], AbstractContextManager[str]]
) -> Iterator[tuple[Platform, GatedCandidate]]:
    """The platform, and the decision on its first candidate, which was promoted."""
    with migrated_database() as url:
        platform = make_platform(tmp_path_factory.mktemp("models"), url)
        drop_history(platform)
        take_in_history(platform)
        yield platform, gate_candidate(platform, train_candidate(platform, "11111111").version)


@pytest.fixture
def champion_platform(gated: tuple[Platform, GatedCandidate]) -> Platform:
    return gated[0]
