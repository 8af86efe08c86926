"""Dagster's entry point: everything that exists is found in ``defs/``.

Here: collecting the modules of ``defs/``. Not here: how a run opens the platform (``defs.resources``).

Dagster's own ``load_from_defs_folder`` does the same and imports its component system for it: 740 modules, more than
``import dagster`` itself, in each run and code server. Decision 23 has the figures.
"""

import warnings
from typing import TypeVar

import dagster as dg

from cinematch_assets import defs as defs_package
from cinematch_assets.dagster_support.failure_cause import record_cause
from cinematch_assets.dagster_support.monitoring_page import publish_page_after_failure
from cinematch_assets.defs.resources import PlatformResource

_Asset = TypeVar("_Asset")


@dg.definitions
def defs() -> dg.Definitions:
    """Load ``defs/``, a file an asset."""
    with warnings.catch_warnings():
        # Previews and betas in Dagster 1.13; the tests of the definitions say what they have to find.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        found = dg.load_definitions_from_package_module(defs_package)
        assets = dg.with_source_code_references([_with_hooks(asset) for asset in found.assets or ()])
    return dg.Definitions(
        assets=assets,
        asset_checks=found.asset_checks,
        jobs=found.jobs,
        sensors=found.sensors,
        schedules=found.schedules,
        resources={"platform": PlatformResource()},
        executor=dg.in_process_executor,  # starting a process takes longer than most steps; configurable for each run
    )


def _with_hooks(asset: _Asset) -> _Asset | dg.AssetsDefinition:
    """Let an asset say why it failed in every run: of a job, of a backfill, and one that a person starts by hand."""
    if isinstance(asset, dg.AssetsDefinition):
        return asset.with_attributes(hook_defs={record_cause, publish_page_after_failure})
    return asset
