"""Asset checks from declarations: one step for all checks of an asset, which can be run alone, by any of them.

Here: how a check becomes definitions and events, for one partition, a range of them or none; and that the checks of an
asset whose step failed are evaluated all the same. Not here: what is checked (``table_checks``, ``drift_checks``).

A range of partitions in one run has no evaluation a partition in Dagster: its check step reports one without partition.
So the step of a range reports the evaluations itself.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from cinematch_assets.dagster_support.metadata import rounded
from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.platform import Platform


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a check holds, a text in Markdown that begins with the summary, and figures for its history."""

    passed: bool
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A check of an asset: ``evaluate`` is given the platform, and the partition or None."""

    name: str
    description: str
    evaluate: Callable[[Platform, str | None], Outcome]
    blocking: bool = False
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR


@dataclass(frozen=True, slots=True)
class _Built:
    """The checks of an asset, and whether they are evaluated for each partition."""

    checks: tuple[Check, ...]
    is_partitioned: bool


_BUILT: dict[dg.AssetKey, dict[str, _Built]] = {}
"""What ``build_checks`` was given, so that a failing asset finds the checks of the assets after it."""


def build_checks(
    asset: dg.AssetsDefinition,
    checks: Sequence[Check],
    partitions_def: dg.PartitionsDefinition[str] | None = None,
    *,
    name: str = "checks",
) -> dg.AssetChecksDefinition:
    """Return the definition of an asset's checks, to be bound to a variable of its module.

    A partitioned asset can have checks of single partitions and checks of the whole table, each with a ``name``.

    Every check is evaluated before a blocking one fails the step, so that one fault hides no other.
    """
    with warnings.catch_warnings():
        # Partitions of checks are a preview in Dagster 1.13; dagster_support/test_asset_checks.py pins what is used.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        specs = [
            dg.AssetCheckSpec(
                check.name,
                asset=asset.key,
                description=check.description,
                blocking=check.blocking,
                partitions_def=partitions_def,
            )
            for check in checks
        ]
    by_key = {spec.key: check for spec, check in zip(specs, checks, strict=True)}
    _BUILT.setdefault(asset.key, {})[name] = _Built(tuple(checks), partitions_def is not None)

    @dg.multi_asset_check(name=f"{asset.key.to_python_identifier()}_{name}", specs=specs, can_subset=True)
    def evaluate_checks(
        context: dg.AssetCheckExecutionContext, platform: dg.ResourceParam[Platform]
    ) -> Iterator[dg.AssetCheckResult | dg.AssetCheckEvaluation | dg.Output[None]]:
        selected = [key for key in by_key if key in context.selected_asset_check_keys]
        run = context.op_execution_context
        is_blocked = False
        for key in selected:
            if partitions_def is not None and not run.has_partition_key:
                for partition in run.partition_keys:
                    outcome = by_key[key].evaluate(platform, partition)
                    is_blocked |= by_key[key].blocking and not outcome.passed
                    yield check_evaluation(key, by_key[key], outcome, partition)
                yield dg.Output(None, output_name=f"{key.asset_key.to_python_identifier()}_{key.name}")
                continue
            outcome = by_key[key].evaluate(platform, run.partition_key if partitions_def is not None else None)
            is_blocked |= by_key[key].blocking and not outcome.passed
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=outcome.passed,
                description=outcome.description,
                severity=by_key[key].severity,
                metadata=rounded(outcome.metadata),
            )
        if is_blocked:
            _report_checks(run, platform, _assets_after(run, asset.key))

    return evaluate_checks


@contextmanager
def checked_when_failing(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[None]:
    """When the asset's step fails, evaluate its checks and those after it, on what the tables hold; then raise.

    A blocking check that fails does the same for those after its asset.

    Dagster skips these check steps, and shows each check of the run that was not evaluated as failed: a refused file
    would turn checks red that it has nothing to do with, and in a range of partitions those of the good ones. What the
    file was refused for is a check too, and is wanted just then.
    """
    try:
        yield
    except (CinematchError, dg.Failure):
        run = context.op_execution_context
        _report_checks(run, platform, [context.asset_key, *_assets_after(run, context.asset_key)])
        raise


def _report_checks(context: dg.OpExecutionContext, platform: Platform, assets: Sequence[dg.AssetKey]) -> None:
    for asset in assets:
        for built in _BUILT.get(asset, {}).values():
            for partition in context.partition_keys if built.is_partitioned else [None]:
                for check in built.checks:
                    _report_check(context, platform, asset, check, partition)


def _report_check(
    context: dg.OpExecutionContext, platform: Platform, asset: dg.AssetKey, check: Check, partition: str | None
) -> None:
    try:
        outcome = check.evaluate(platform, partition)
    except CinematchError as fault:  # the database, say, is the cause of the failure
        context.log.warning("check %s was not evaluated: %s", check.name, fault)
        return
    event = check_evaluation(dg.AssetCheckKey(asset, check.name), check, outcome, partition)
    context.log_event(event)  # type: ignore[arg-type]  # its type leaves checks out


def _assets_after(context: dg.OpExecutionContext, asset: dg.AssetKey) -> list[dg.AssetKey]:
    """The assets of the run that come after one of them, and are skipped when it fails or blocks."""
    layer = context.job_def.asset_layer
    selected, found = set(layer.selected_asset_keys), [asset]
    for each in found:
        found.extend(sorted(layer.asset_graph.get(each).child_keys & selected - set(found)))
    return found[1:]


def evaluate_now(
    checks: Mapping[dg.AssetKey, Sequence[Check]], platform: Platform
) -> Iterator[dg.AssetCheckEvaluation]:
    """Evaluate checks of whole tables, in a step that belongs to no asset."""
    for asset, of_asset in checks.items():
        for check in of_asset:
            yield check_evaluation(dg.AssetCheckKey(asset, check.name), check, check.evaluate(platform, None), None)


def check_evaluation(
    key: dg.AssetCheckKey, check: Check, outcome: Outcome, partition: str | None = None
) -> dg.AssetCheckEvaluation:
    """Return the event of an outcome, for what is no check step."""
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=outcome.passed,
        metadata=rounded(outcome.metadata),
        severity=check.severity,
        description=outcome.description,
        blocking=check.blocking,
        partition=partition,
    )
