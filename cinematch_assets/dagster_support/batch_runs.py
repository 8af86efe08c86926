"""One partition or a range of them in one run, each on its own.

Here: what a batch asset does with more than one key. Not here: the work on a batch.
"""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from cinematch_assets.errors import CinematchError


def each_batch(context: dg.AssetExecutionContext, work: Callable[[str], Mapping[str, Any]]) -> dg.MaterializeResult:
    """Do ``work`` for every batch of the run; its return is the metadata of that partition.

    A batch that fails does not stop the others. When one did, those that went well are reported as materialized and
    the step fails, naming each failed batch with its reason; it is not retried, because a refused file stays refused.
    """
    results: dict[str, Mapping[str, Any]] = {}
    faults: dict[str, str] = {}
    for batch in context.partition_keys:
        try:
            results[batch] = work(batch)
        except CinematchError as fault:
            faults[batch] = str(fault)
            context.log.error("%s: %s", batch, fault)  # noqa: TRY400 - one sentence is what a person needs
    if faults:
        for batch, metadata in results.items():
            context.log_event(dg.AssetMaterialization(context.asset_key, partition=batch, metadata=dict(metadata)))
        raise dg.Failure("; ".join(faults.values()), metadata={"failed": list(faults)}, allow_retries=False)
    if len(results) == 1:
        return dg.MaterializeResult(metadata=dict(next(iter(results.values()))))
    return dg.MaterializeResult(metadata={"batches": len(results)})
