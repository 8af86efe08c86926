"""Dagster's entry point: everything that exists is found in ``defs/``.

Here: collecting the modules of ``defs/``. Not here: how a run opens the platform (``defs.resources``).

Dagster's own ``load_from_defs_folder`` does the same and imports its component system for it: 740 modules, more than
``import dagster`` itself, in each run and code server. Decision 23 has the figures.
"""

import warnings

import dagster as dg

from cinematch_assets import defs as defs_package
from cinematch_assets.defs.resources import shared


@dg.definitions
def defs() -> dg.Definitions:
    """Load ``defs/``, a file an asset."""
    with warnings.catch_warnings():
        # A preview in Dagster 1.13; defs/test_dagster_behaviour.py pins what is used of it.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        found = dg.load_definitions_from_package_module(defs_package)
    return dg.Definitions.merge(found, shared())
