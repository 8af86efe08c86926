"""Dagster's entry point: everything that exists is found in ``defs/``.

Here: collecting the modules of ``defs/``. Not here: how a run opens the platform (``defs.resources``).

Dagster's own ``load_from_defs_folder`` does the same and imports its component system for it: 740 modules, more than
``import dagster`` itself, in each run and code server. Decision 23 has the figures.
"""

import warnings

import dagster as dg

from cinematch_assets import defs as defs_package
from cinematch_assets.defs.resources import PlatformResource


@dg.definitions
def defs() -> dg.Definitions:
    """Load ``defs/``, a file an asset."""
    with warnings.catch_warnings():
        # A preview in Dagster 1.13; a test of the definitions says what it has to find.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        found = dg.load_definitions_from_package_module(defs_package)
    return dg.Definitions(
        assets=dg.with_source_code_references(list(found.assets or ())),
        asset_checks=found.asset_checks,
        jobs=found.jobs,
        sensors=found.sensors,
        schedules=found.schedules,
        resources={"platform": PlatformResource()},
        executor=dg.in_process_executor,  # starting a process takes longer than most steps; configurable for each run
    )
