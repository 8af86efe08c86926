"""What a person changes is an event of the asset, and on the page."""

from dataclasses import replace
from typing import Literal

import dagster as dg
import pytest

from cinematch_assets.dagster_support.change_events import (
    ChangedAsset,
    champion_changes,
    merge_changes,
    report_changes,
    show_changes,
)
from cinematch_assets.dagster_support.instance import prepare_home
from cinematch_assets.pipeline.monitoring.publish_page import KEY
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings
from cinematch_assets_tests.support.servers import Postgres


def observation(instance: dg.DagsterInstance, asset: str) -> tuple[str | None, dict[str, object]]:
    """The partition and the metadata of its only observation."""
    (record,) = instance.fetch_observations(dg.AssetKey(asset), limit=5).records
    event = record.asset_observation
    assert event is not None
    assert record.run_id == ""
    return event.partition, {name: value.value for name, value in event.metadata.items()}


def test_each_changed_asset_has_an_observation_without_a_run_with_the_rows_of_now(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    changes = [*champion_changes("rolled back from v2 to v1"), ChangedAsset("ratings_buffer", "2 rows", "batch_w1")]
    report_changes(platform, instance, changes, "a drill")
    told = {"by": platform.actor.name, "reason": "a drill", "dagster/row_count": 0}
    change = {"change": "rolled back from v2 to v1"}
    assert observation(instance, "model_metrics") == observation(instance, "recommendations") == (None, told | change)
    of_batch = {"change": "2 rows", "dagster/partition_row_count": 0, "place": "none"}
    assert observation(instance, "ratings_buffer") == ("batch_w1", told | of_batch)


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        ("merge", [("ratings", None), ("ratings_buffer", "batch_w1"), ("ratings_buffer", "batch_w2")]),
        ("delete", [("ratings_buffer", "batch_w1"), ("ratings_buffer", "batch_w2")]),
    ],
)
def test_a_promotion_changes_the_ratings_and_each_batch_that_moved(
    platform: Platform, merge: Literal["merge", "delete"], expected: list[tuple[str, str | None]]
) -> None:
    moved = replace(platform, settings=platform.settings.model_copy(update={"merge": merge}))
    changes = merge_changes(moved, "v2", ["batch_w1", "batch_w2"])
    assert [(change.name, change.partition) for change in changes] == expected
    assert merge_changes(moved, "v2", []) == []


def test_a_change_reaches_the_page_and_the_instance_that_is_there(
    platform: Platform, postgres18: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    show_changes(platform, champion_changes("v1 was promoted by hand"), None)
    assert b"no model serves yet" in platform.store.read_bytes(KEY)
    assert not (platform.settings.home / "dagster").exists()  # and no instance is made for it
    platform.store.delete(KEY)
    monkeypatch.setenv("CINEMATCH_HOME", str(platform.settings.home))
    with postgres18.database() as url:
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)  # which Dagster's storage reads itself
        settings = Settings.from_env()
        show_changes(replace(platform, settings=settings), champion_changes("v1 was promoted by hand"), None)
        assert platform.store.exists(KEY)
        with dg.DagsterInstance.from_config(str(prepare_home(settings))) as instance:
            assert observation(instance, "recommendations")[1]["change"] == "v1 was promoted by hand"
