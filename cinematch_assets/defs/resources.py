"""What all definitions share: the platform as a resource, and one process for all steps of a run.

Here: how Dagster opens the platform. Not here: the settings it is opened by (``settings``).
"""

import dagster as dg

from cinematch_assets.dagster_support.run_actor import run_actor
from cinematch_assets.pipeline.audited_settings import record_setting_changes
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings


@dg.resource(
    description="Drive folder, store and warehouse, as the environment names them; an embedded server is started.",
)
def platform(context: dg.InitResourceContext) -> Platform:
    """Open the platform for a run, and record changed settings; tests hand a ``Platform`` instead."""
    if context.run is None:  # a sensor's tick
        return Platform.open()
    settings = Settings.from_env()
    opened = Platform.open(settings, run_actor(context.run, settings.actor))
    record_setting_changes(opened)
    return opened


@dg.definitions
def shared() -> dg.Definitions:
    """Run steps in one process, because starting one takes longer than most steps; the executor is configurable."""
    return dg.Definitions(resources={"platform": platform}, executor=dg.in_process_executor)
