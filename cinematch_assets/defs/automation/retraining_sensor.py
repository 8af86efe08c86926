"""``retraining_sensor``: decisions that are due become one ``retrain`` run.

Here: requests. Not here: the decision (``drift_report`` writes it), the choice of the moment (``retraining``).
"""

import hashlib

import dagster as dg

from cinematch_assets.defs.automation.jobs import retrain
from cinematch_assets.defs.automation.runs import FINISHED, runs_with_tag
from cinematch_assets.retraining import WaitingDecision, next_retraining
from cinematch_assets.steps.drifting import policy_of
from cinematch_assets.steps.platform import Platform
from cinematch_assets.steps.watching import next_attempt
from cinematch_assets.warehouse.drift import give_up, seconds_since_retraining, waiting_decisions
from cinematch_assets.warehouse.inspection import row_count
from cinematch_assets.warehouse.registry import champion

DECISION_TAG = "cinematch/decision-"
FIRST_TAG = "cinematch/first-model"


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
    policy = policy_of(platform)
    with platform.warehouse.connect() as connection:
        rows = waiting_decisions(connection)
        since = seconds_since_retraining(connection)
        first = champion(connection) is None
        has_ratings = row_count(connection, "ratings") > 0 if first else True
    if first:
        return _first_model(context.instance, has_ratings=has_ratings, limit=policy.attempts)
    attempts = {row.id: runs_with_tag(context.instance, f"{DECISION_TAG}{row.id}", row.md5)[0] for row in rows}
    waiting = [WaitingDecision(row.batch_id, attempts[row.id]) for row in rows]
    chosen = next_retraining(waiting, running=_is_retraining(context.instance), since_last_s=since, policy=policy)
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


def _first_model(instance: dg.DagsterInstance, *, has_ratings: bool, limit: int) -> dg.RunRequest | dg.SkipReason:
    """Nobody decides on the first model: it is due as soon as there are ratings."""
    if not has_ratings:
        return dg.SkipReason("no ratings to train a first model on")
    ended, _ = runs_with_tag(instance, FIRST_TAG, "yes")
    attempt = next_attempt("the first model", ended, running=_is_retraining(instance), limit=limit)
    if not attempt.is_due:
        return dg.SkipReason(attempt.skipped)
    return dg.RunRequest(run_key=f"retrain:first:{attempt.number}", tags={FIRST_TAG: "yes"})


def _is_retraining(instance: dg.DagsterInstance) -> bool:
    under_way = [status for status in dg.DagsterRunStatus if status not in FINISHED]
    return bool(instance.get_runs(filters=dg.RunsFilter(job_name=retrain.name, statuses=under_way), limit=1))
