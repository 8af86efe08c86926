"""``retraining_sensor``: decisions that are due become one ``retrain`` run.

Here: reading the facts, and the request. Not here: a batch's decision (``defs.drift.drift_report`` writes it), the
choice of the next run (``retraining.retraining_request``).
"""

from dataclasses import replace

import dagster as dg

from cinematch_assets.dagster_support.runs import is_under_way, runs_with_tag
from cinematch_assets.defs.automation.jobs import retrain
from cinematch_assets.pipeline.models.artifacts import FormatStatus, format_message
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets.retraining import (
    Request,
    RetrainingFacts,
    RetrainingPolicy,
    decision_tag,
    missing_output,
    retraining_request,
)
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.drift_alerts import give_up, list_waiting_decisions, read_seconds_since_retraining
from cinematch_assets.warehouse.inspection import count_rows
from cinematch_assets.warehouse.recommendations import read_recommended_version


@dg.sensor(
    job=retrain,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Retraining decisions that are due become one retrain run, however many wait.",
)
def retraining_sensor(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.RunRequest | dg.SkipReason:
    """Start what is due, one run at a time; rows and runs are the memory, so a restart loses and doubles nothing."""
    facts = _read_facts(platform, context.instance)
    chosen = retraining_request(facts, RetrainingPolicy.from_settings(platform.settings))
    for decision in chosen.given_up:
        outcome = f"{decision.attempts} retrainings failed: materialize the retrain job by hand"
        platform.warehouse.run(give_up, decision.id, outcome)
    if not isinstance(chosen, Request):
        return dg.SkipReason(chosen.reason)
    context.log.info(chosen.reason)
    return dg.RunRequest(
        run_key=chosen.run_key,
        tags=dict(chosen.tags),
        asset_selection=[dg.AssetKey(name) for name in chosen.assets] or None,
    )


def _read_facts(platform: Platform, instance: dg.DagsterInstance) -> RetrainingFacts:
    with platform.warehouse.session() as session:
        champion = session.run(read_champion)
        status = FormatStatus.of(champion) if champion else None
        missing = missing_output(
            champion.version if champion else None,
            readable=status is FormatStatus.READABLE,
            model_format=FORMAT,
            recommended=session.run(read_recommended_version),
        )
        waiting = session.run(list_waiting_decisions)
        # Counting takes a while, and only a missing model asks for it.
        has_ratings = missing is None or not missing.is_model or session.run(count_rows, "ratings") > 0
        since_last_s = session.run(read_seconds_since_retraining)
    return RetrainingFacts(
        waiting=tuple(
            replace(each, attempts=runs_with_tag(instance, decision_tag(each), each.md5)[0]) for each in waiting
        ),
        missing=missing,
        ended_runs=runs_with_tag(instance, missing.tag, missing.key)[0] if missing else 0,
        has_ratings=has_ratings,
        running=is_under_way(instance, retrain.name),
        since_last_s=since_last_s,
        blocked=format_message(champion) if champion and status is FormatStatus.NEWER else None,
    )
