"""What all definitions share: the platform as a resource, and one process for all steps of a run.

Here: how Dagster opens the platform. Not here: the settings it is opened by (``settings``).
"""

import dagster as dg

from cinematch_assets.pipeline.platform import Platform


@dg.resource(
    description="Drive folder, store and warehouse, as the environment names them; an embedded server is started.",
)
def platform(_context: dg.InitResourceContext) -> Platform:
    """Open the platform for a run; tests hand a ``Platform`` instead."""
    return Platform.open()


@dg.definitions
def shared() -> dg.Definitions:
    """Run steps in one process, because starting one takes longer than most steps; the executor is configurable."""
    return dg.Definitions(resources={"platform": platform}, executor=dg.in_process_executor)
