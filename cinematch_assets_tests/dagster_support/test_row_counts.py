"""The page of a table shows as many rows as the table has, also after another asset or a command changed it."""

import dagster as dg

from cinematch_assets.dagster_support.row_counts import report_row_counts
from cinematch_assets.pipeline.platform import Platform

KEY = dg.AssetKey("movies")


def counts(instance: dg.DagsterInstance) -> list[object]:
    """The counts that were observed, oldest first."""
    records = instance.fetch_observations(KEY, limit=10, ascending=True).records
    events = [record.asset_observation for record in records]
    return [event.metadata["dagster/row_count"].value for event in events if event is not None]


def test_a_count_is_reported_when_it_is_another_one(platform: Platform, instance: dg.DagsterInstance) -> None:
    report_row_counts(platform, instance, "movies")
    report_row_counts(platform, instance, "movies")
    with platform.warehouse.connect() as connection:
        connection.execute("INSERT INTO movies VALUES (1, 'Heat (1995)', 'Action')")
    report_row_counts(platform, instance, "movies")
    assert counts(instance) == [0, 1]


def test_an_observation_without_a_count_hides_it_and_it_is_reported_again(
    platform: Platform, instance: dg.DagsterInstance
) -> None:
    report_row_counts(platform, instance, "movies")
    instance.report_runless_asset_event(dg.AssetObservation(KEY, metadata={"note": "of a person"}))
    report_row_counts(platform, instance, "movies")
    (newest,) = instance.fetch_observations(KEY, limit=1).records
    assert newest.asset_observation is not None
    assert newest.asset_observation.metadata["dagster/row_count"].value == 0
