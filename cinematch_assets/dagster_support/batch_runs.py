"""One partition, or a range of them, in one run of a batch asset.

Here: the loop over a run's partitions. Not here: the work on a batch (``pipeline``).
"""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from cinematch_assets.errors import CinematchError


def each_batch(context: dg.AssetExecutionContext, work: Callable[[str], Mapping[str, Any]]) -> None:
    """Do ``work`` for each batch of the run; what it returns becomes the metadata of that partition.

    A batch that fails does not stop the others: those that succeeded are materialized, each with its metadata.

    Raises:
        dg.Failure: a batch failed; it names each failed batch with its reason, and is not retried, because a refused
            file stays refused.
    """
    results: dict[str, Mapping[str, Any]] = {}
    failures: dict[str, CinematchError] = {}
    for batch in context.partition_keys:
        try:
            results[batch] = work(batch)
        except CinematchError as error:
            failures[batch] = error
            context.log.error("%s: %s", batch, error)  # noqa: TRY400 - a refused file needs its message, no traceback
    for batch, metadata in results.items():
        if failures:  # Dagster materializes no partition of a step that fails
            context.log_event(dg.AssetMaterialization(context.asset_key, partition=batch, metadata=dict(metadata)))
        else:
            context.add_asset_metadata(metadata, partition_key=batch)
    if failures:
        message = "; ".join(map(str, failures.values()))
        first = next(iter(failures.values()))  # by which the attempt is counted: the sensor starts one batch a run
        raise dg.Failure(message, metadata={"failed": list(failures)}, allow_retries=False) from first
