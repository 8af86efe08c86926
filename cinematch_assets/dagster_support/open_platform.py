"""Definitions on a platform that is open already.

Here: exchanging the resource. Not here: how a run opens the platform otherwise (``defs.resources``).
"""

import dagster as dg

from cinematch_assets.pipeline.platform import Platform


def with_open_platform(definitions: dg.Definitions, platform: Platform) -> dg.Definitions:
    """Return the definitions with ``platform`` as the resource, so that runs in this process do not open another.

    ``execute_in_process(resources=…)`` does the same for a whole job, but not together with a selection of its assets.
    """
    return dg.Definitions(
        assets=definitions.assets,
        asset_checks=definitions.asset_checks,
        schedules=definitions.schedules,
        sensors=definitions.sensors,
        jobs=definitions.jobs,
        resources={**(definitions.resources or {}), "platform": platform},
        executor=definitions.executor,
        loggers=definitions.loggers,
    )
