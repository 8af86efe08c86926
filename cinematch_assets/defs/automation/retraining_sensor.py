"""``retraining_sensor``: a missing model, missing recommendations and due decisions become one ``retrain`` run.

Here: reading the facts, and the request. Not here: a batch's decision (``defs.drift.drift_report`` writes it), the
choice of the next run (``retraining.retraining_request``).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from cinematch_assets.attempts import Attempt, Pending, RetryPolicy, Work, next_attempt
from cinematch_assets.dagster_support.run_tags import sensor_tags
from cinematch_assets.dagster_support.runs import DATA_TAG, FINISHED, RELEASE_TAG, read_runs, release, runs_under_way
from cinematch_assets.defs.automation.jobs import load_catalog, retrain
from cinematch_assets.defs.monitoring.monitoring_report import monitoring_report
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.retraining import (
    NO_RATINGS,
    RetrainingPolicy,
    decisions_of,
    hold_back,
    is_outgrown,
    missing_model,
    missing_recommendations,
    retraining_request,
    retraining_work,
)
from cinematch_assets.values import WorkKind
from cinematch_assets.visible_text import visible

if TYPE_CHECKING:
    from cinematch_assets.warehouse.model_registry import ModelVersion
    from cinematch_assets.warehouse.warehouse import Session

_KINDS: tuple[WorkKind, ...] = ("model", "recommendations", "retraining")


@dg.sensor(
    job=retrain,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A missing model, missing recommendations and due decisions become one retrain run at a time.",
)
def retraining_sensor(
    context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
) -> dg.RunRequest | dg.SkipReason:
    """Start what is due, one run at a time; rows and runs are the memory, so a restart loses and doubles nothing."""
    from cinematch_assets.warehouse.approval import list_awaiting, reject_outdated
    from cinematch_assets.warehouse.champion import read_champion
    from cinematch_assets.warehouse.drift_alerts import read_seconds_since_retraining
    from cinematch_assets.warehouse.outstanding import replace_outstanding
    from cinematch_assets.warehouse.training_data import read_data_key

    instance = context.instance
    with platform.warehouse.session() as session:
        session.run(reject_outdated)
        champion = session.run(read_champion)
        data = session.run(read_data_key)
        running = bool(runs_under_way(instance, retrain.name))
        pending = tuple(
            _decide(platform, instance, session, work, data=data, running=running)
            for work in _find_work(session, instance, champion, data, platform.settings.retrain_unseen_share)
        )
        pending = hold_back(
            pending,
            blocked=_find_newer_release(champion) or ("" if running else _find_other_platform(session, instance)),
            approval=next((each.why for each in session.run(list_awaiting)), ""),
            since_last_s=session.run(read_seconds_since_retraining),
            policy=RetrainingPolicy.from_settings(platform.settings),
        )
        session.run(replace_outstanding, _KINDS, [each.row for each in pending])
    chosen = None if running else retraining_request(pending)
    if chosen is None:
        reasons = (visible(f"{row.work}: {row.reason}") for row in (each.row for each in pending))
        return dg.SkipReason("; ".join(reasons) or "no decision waits")
    context.log.info(chosen.reason)
    return dg.RunRequest(
        run_key=chosen.run_key,
        tags={
            **sensor_tags(chosen.kind, number=chosen.number, batches=", ".join(sorted(decisions_of(chosen.tags)))),
            RELEASE_TAG: release(),
            DATA_TAG: data,
            **chosen.tags,
        },
        asset_selection=[*map(dg.AssetKey, chosen.assets), monitoring_report.key] if chosen.assets else None,
    )


def _find_work(
    session: "Session", instance: dg.DagsterInstance, champion: "ModelVersion | None", data: str, unseen_share: float
) -> Iterator[Work]:
    """All that a run of the job could be started for."""
    from cinematch_assets.pipeline.models.artifacts import FormatStatus
    from cinematch_assets.recommender.model import FORMAT
    from cinematch_assets.warehouse.drift_alerts import list_waiting_decisions
    from cinematch_assets.warehouse.inspection import count_rows
    from cinematch_assets.warehouse.recommendations import read_recommended_version
    from cinematch_assets.warehouse.training_data import read_growth

    version = champion.version if champion else None
    readable = champion is not None and FormatStatus.of(champion) is FormatStatus.READABLE
    outgrown = readable and is_outgrown(*session.run(read_growth), unseen_share)
    if readable and not outgrown:
        waits_for = ""
    elif session.run(count_rows, "ratings") == 0:  # it takes a while, and only a missing model asks for it
        waits_for = NO_RATINGS
    else:
        waits_for = _why_no_features(session, instance)
    model = missing_model(
        version, readable=readable, model_format=FORMAT, data=data, waits_for=waits_for, outgrown=outgrown
    )
    recommendations = missing_recommendations(
        version, readable=readable, recommended=session.run(read_recommended_version)
    )
    yield from (work for work in (model, recommendations) if work)
    yield from map(retraining_work, session.run(list_waiting_decisions))


def _why_no_features(session: "Session", instance: dg.DagsterInstance) -> str:
    """Say that genre features are on their way, which a model trained now would lack."""
    from cinematch_assets.warehouse.movies import count_unprojected_movies
    from cinematch_assets.warehouse.outstanding import list_outstanding

    if session.run(count_unprojected_movies) == 0:
        return ""
    rows = session.run(list_outstanding)
    expected = any(row.kind == "features" and not row.needs_a_person for row in rows)
    return "genre features are computed first" if expected or runs_under_way(instance, load_catalog.name) else ""


def _decide(
    platform: Platform, instance: dg.DagsterInstance, session: "Session", work: Work, *, data: str, running: bool
) -> Pending:
    """Decide on the next attempt. A model that was rejected for the data that there is, is not trained again on it."""
    from cinematch_assets.recommender.model import FORMAT
    from cinematch_assets.warehouse.model_registry import find_rejection

    runs = read_runs(instance, work, data=data)
    policy = RetryPolicy(platform.settings.retry_gap_s, platform.settings.retrain_max_attempts)
    attempt = next_attempt(runs.failures, running=running, policy=policy)
    rejection = session.run(find_rejection, data, FORMAT) if work.kind == "model" else None
    if rejection and not running:
        attempt = Attempt(runs.ended, is_due=False, reason=rejection, given_up=True)
    return Pending(work, attempt, runs.ended + 1)


def _find_newer_release(champion: "ModelVersion | None") -> str:
    from cinematch_assets.pipeline.models.artifacts import FormatStatus, format_message

    newer = champion is not None and FormatStatus.of(champion) is FormatStatus.NEWER
    return format_message(champion) if champion and newer else ""


def _find_other_platform(session: "Session", instance: dg.DagsterInstance) -> str:
    """Say who else retrains on this warehouse; a lease of an own run that has ended is returned."""
    from cinematch_assets.pipeline.models.training_lease import RETRAINING
    from cinematch_assets.warehouse.leases import find_lease, return_lease

    lease = session.run(find_lease, RETRAINING)
    if lease is None:
        return ""
    run = instance.get_run_by_id(lease.run_id)
    if run is not None and run.status in FINISHED:
        session.run(return_lease, RETRAINING, lease.run_id)
        return ""
    return f"a retraining is under way by {lease.holder}, run {lease.run_id[:8]}"
