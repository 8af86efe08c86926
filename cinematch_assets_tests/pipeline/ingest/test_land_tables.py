"""A table's file in the store, and its row in ``ops.files``."""

import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.ingest.land_tables import land_table
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import MOVIES, drop, rows_of

CONTENT = MOVIES + "10,Heat (1995),Action\n"


def test_a_file_is_landed_unchanged_and_recorded(platform: Platform) -> None:
    drop(platform, "movies.csv", CONTENT)
    landed = land_table(platform, "movies")
    assert platform.store.read_bytes(landed.key) == CONTENT.encode()
    assert rows_of(platform, "SELECT path, md5, store_key FROM ops.files") == [("movies.csv", landed.md5, landed.key)]


def test_the_same_content_again_is_fetched_and_recorded_once(platform: Platform) -> None:
    drop(platform, "movies.csv", CONTENT)
    assert [land_table(platform, "movies").unchanged for _ in range(2)] == [False, True]
    assert rows_of(platform, "SELECT count(*) FROM ops.files") == [(1,)]


def test_a_missing_file_is_named(platform: Platform) -> None:
    with pytest.raises(CinematchError, match="movies"):
        land_table(platform, "movies")
