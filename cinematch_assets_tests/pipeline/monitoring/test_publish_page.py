"""The page lies where the UI serves it, and says what ``read_facts`` read."""

from cinematch_assets.pipeline.monitoring.publish_page import KEY, publish_page
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import given_champion, insert_movies


def test_the_page_of_now_replaces_the_one_before(platform: Platform) -> None:
    assert publish_page(platform).champion is None
    first = platform.store.read_bytes(KEY).decode()
    insert_movies(platform, (10, "Heat (1995)"))
    version = given_champion(platform)
    facts = publish_page(platform, [])
    second = platform.store.read_bytes(KEY).decode()
    assert "no model serves yet" in first
    assert facts.champion is not None
    assert facts.champion.version == version
    assert version in second
    assert KEY.startswith("reports/")
