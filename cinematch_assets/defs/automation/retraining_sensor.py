"""``retraining_sensor``: decisions that are due become one ``retrain`` run.

Here: requests. Not here: the decision (``drift_report`` writes it), the choice of the moment (``retraining``).
"""

import hashlib
from typing import Any

import dagster as dg

from cinematch_assets.dagster_support.runs import is_under_way, runs_with_tag
from cinematch_assets.defs.automation.jobs import retrain
from cinematch_assets.pipeline.batch_drift import policy_of
from cinematch_assets.pipeline.ingest.folder_changes import next_attempt
from cinematch_assets.pipeline.models.artifacts import FormatStatus, format_message
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets.retraining import WaitingDecision, next_retraining
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.drift_alerts import give_up, seconds_since_retraining, waiting_decisions
from cinematch_assets.warehouse.inspection import row_count
from cinematch_assets.warehouse.model_registry import ModelVersion
from cinematch_assets.warehouse.recommendations import recommended_version

DECISION_TAG = "cinematch/decision-"


@dg.sensor(
    job=retrain,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Retraining decisions that are due become one retrain run, however many wait.",
)
def retraining_sensor(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.RunRequest | dg.SkipReason:
    """Start what is due, one run at a time; rows are the memory, so a restart neither loses nor doubles a run."""
    with platform.warehouse.connect() as connection:
        champion = read_champion(connection)
        listed = recommended_version(connection)
    if champion and FormatStatus.of(champion) is FormatStatus.NEWER:
        return dg.SkipReason(format_message(champion))
    if champion is None or FormatStatus.of(champion) is FormatStatus.OLDER:
        return _new_model(platform, context.instance, champion)
    if listed != champion.version:
        return _missing_lists(platform, context.instance, champion.version)
    return _due_retraining(platform, context.instance)


def _new_model(
    platform: Platform, instance: dg.DagsterInstance, unread: ModelVersion | None
) -> dg.RunRequest | dg.SkipReason:
    """Nobody decides on a model where there is none to load: it is due as soon as there are ratings.

    Once its attempts are used up, decisions count: a batch that came later may be what the candidates lacked.
    """
    with platform.warehouse.connect() as connection:
        if row_count(connection, "ratings") == 0:
            return dg.SkipReason("no ratings to train a model on")
    if unread is None:
        answer = _attempt(platform, instance, "first-model", "retrain:first")
    else:
        answer = _attempt(platform, instance, "other-format", f"retrain:{unread.version}:format{FORMAT}")
    if isinstance(answer, dg.RunRequest):
        return answer
    due = _due_retraining(platform, instance)
    return due if isinstance(due, dg.RunRequest) else dg.SkipReason(f"{answer.skip_message}; {due.skip_message}")


def _missing_lists(platform: Platform, instance: dg.DagsterInstance, version: str) -> dg.RunRequest | dg.SkipReason:
    """A run that died between promotion and recommendations left the former champion's lists."""
    lists = [dg.AssetKey("recommendations")]
    return _attempt(platform, instance, "lists", f"lists:{version}", asset_selection=lists)


def _attempt(
    platform: Platform, instance: dg.DagsterInstance, what: str, key: str, **how: Any
) -> dg.RunRequest | dg.SkipReason:
    tag = f"cinematch/{what}"
    ended, _ = runs_with_tag(instance, tag, key)
    limit = policy_of(platform).attempts
    attempt = next_attempt(what, ended, running=_is_retraining(instance), limit=limit)
    if not attempt.is_due:
        return dg.SkipReason(attempt.skipped)
    return dg.RunRequest(run_key=f"{key}:{attempt.number}", tags={tag: key}, **how)


def _due_retraining(platform: Platform, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    """Put every decision that waits into one run, and give up on those that failed too often."""
    with platform.warehouse.connect() as connection:
        rows = waiting_decisions(connection)
        since = seconds_since_retraining(connection)
    attempts = {row.id: runs_with_tag(instance, f"{DECISION_TAG}{row.id}", row.md5)[0] for row in rows}
    waiting = [WaitingDecision(row.batch_id, attempts[row.id]) for row in rows]
    chosen = next_retraining(waiting, running=_is_retraining(instance), since_last_s=since, policy=policy_of(platform))
    with platform.warehouse.connect() as connection:
        for row in rows:
            if row.batch_id in chosen.given_up:
                give_up(connection, row, f"{attempts[row.id]} retrainings failed: materialize the retrain job by hand")
    if not chosen.batch_ids:
        return dg.SkipReason(chosen.reason)
    due = [row for row in rows if row.batch_id in chosen.batch_ids]
    evidence = ",".join(f"{row.id}:{row.md5}" for row in due)
    return dg.RunRequest(
        run_key=f"retrain:{hashlib.sha256(evidence.encode()).hexdigest()[:16]}:{chosen.attempt}",
        tags={f"{DECISION_TAG}{row.id}": row.md5 for row in due} | {"cinematch/reason": chosen.reason[:250]},
    )


def _is_retraining(instance: dg.DagsterInstance) -> bool:
    return is_under_way(instance, retrain.name)
