"""The definitions as Dagster loads them, once for all tests of this room."""

from functools import cache

import dagster as dg

from cinematch_assets.definitions import defs


@cache
def loaded() -> dg.Definitions:
    """Everything in ``defs/``."""
    return defs()


@cache
def repository() -> dg.RepositoryDefinition:
    """The same as the repository that a code server would serve."""
    return loaded().get_repository_def()
