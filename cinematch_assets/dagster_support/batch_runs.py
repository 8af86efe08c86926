"""One partition, or a range of them, in one run of a batch asset.

Here: the loop over a run's partitions. Not here: the work on a batch (``pipeline``).
"""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from cinematch_assets.dagster_support.failure_cause import NEXT_STEP
from cinematch_assets.errors import CinematchError
from cinematch_assets.faults import Cause, cause_of


def each_batch(
    context: dg.AssetExecutionContext,
    work: Callable[[str], dg.MaterializeResult[Any]],
    *,
    next_step: Callable[[Sequence[str]], str] | None = None,
) -> dg.MaterializeResult[Any]:
    """Do ``work`` for each batch of the run; what it returns becomes the materialization of that partition.

    A batch that fails does not stop the others: those that succeeded are materialized, each with its metadata.
    ``next_step`` says of batches whose content is refused what a person can do; the page of the run shows it.

    Raises:
        dg.Failure: a batch failed; it names each failed batch with its reason, and is not retried, because a refused
            file stays refused.
    """
    results: dict[str, dg.MaterializeResult[Any]] = {}
    failures: dict[str, CinematchError] = {}
    for batch in context.partition_keys:
        try:
            results[batch] = work(batch)
        except CinematchError as error:
            failures[batch] = error
            context.log.error("%s: %s", batch, error)  # noqa: TRY400 - a refused file needs its message, no traceback
    if not failures and len(results) == 1:
        return next(iter(results.values()))
    for batch, result in results.items():
        metadata = dict(result.metadata or {})
        if failures:  # Dagster materializes no partition of a step that fails
            context.log_event(dg.AssetMaterialization(context.asset_key, partition=batch, metadata=metadata))
        else:  # the partitions of one step share a data version, so that each of them gets none
            context.add_asset_metadata(metadata, partition_key=batch)
    if failures:
        message = "; ".join(map(str, failures.values()))
        refused = [batch for batch, fault in failures.items() if cause_of(fault) is Cause.CONTENT]
        if next_step is not None and refused:
            message += NEXT_STEP + next_step(refused)
        first = next(iter(failures.values()))  # by which the attempt is counted: the sensor starts one batch a run
        raise dg.Failure(message, metadata={"failed": list(failures)}, allow_retries=False) from first
    return dg.MaterializeResult()
