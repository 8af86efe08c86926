"""What the definitions share: the platform, and one process for all steps of a run."""

import dagster as dg

from cinematch_assets.resources.platform import platform


@dg.definitions
def shared() -> dg.Definitions:
    """A process of its own costs each step seconds, and ours take milliseconds; the executor stays configurable."""
    return dg.Definitions(resources={"platform": platform}, executor=dg.in_process_executor)
