import dagster as dg

from cinematch_assets.dagster_support.open_platform import with_open_platform
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.definitions import loaded


def test_runs_use_the_platform_that_is_given(platform: Platform) -> None:
    used: list[object] = []

    @dg.asset
    def table(platform: dg.ResourceParam[Platform]) -> None:
        used.append(platform)

    def open_another(_context: dg.InitResourceContext) -> Platform:
        raise AssertionError("a run opened a platform of its own")

    definitions = dg.Definitions(
        assets=[table],
        jobs=[dg.define_asset_job("job")],
        resources={"platform": dg.ResourceDefinition(open_another)},
    )
    job = with_open_platform(definitions, platform).get_repository_def().get_job("job")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
        assert job.execute_in_process(instance=instance, asset_selection=[table.key]).success
    assert used == [platform, platform]


def test_everything_else_of_the_definitions_stays(platform: Platform) -> None:
    before = loaded().get_repository_def()
    after = with_open_platform(loaded(), platform).get_repository_def()
    assert set(after.assets_defs_by_key) == set(before.assets_defs_by_key)
    for names in ("job_names", "sensor_defs", "schedule_defs"):
        assert len(getattr(after, names)) == len(getattr(before, names))
