"""What the definitions share: the platform, and one process for all steps of a run.

Here: how Dagster opens the platform. Not here: the settings it is opened by, which are the environment's
(``settings``).
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
    """A process of its own costs each step seconds, and ours take milliseconds; the executor stays configurable."""
    return dg.Definitions(resources={"platform": platform}, executor=dg.in_process_executor)
