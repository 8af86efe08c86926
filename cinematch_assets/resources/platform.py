"""The platform as Dagster hands it to assets, sensors and jobs.

Here: opening it when a run begins. Not here: the settings it is opened by, which are the environment's (``settings``).
"""

import dagster as dg

from cinematch_assets.pipeline.platform import Platform


@dg.resource(
    description="Drive folder, store and warehouse, as the environment names them; an embedded server is started.",
)
def platform(_context: dg.InitResourceContext) -> Platform:
    """Open the platform; whoever tests hands a ``Platform`` instead."""
    return Platform.open()
