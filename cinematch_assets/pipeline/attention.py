"""What needs a person, what waits, and what to do about each: one list for the command, the checks and the page.

Here: the list, and conditions that no run would notice (a late batch, stale lists, a full database, a silent sensor or
daemon, a token that ends). Not here: work that is outstanding (``warehouse.outstanding``), telling people
(``send_notifications``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cinematch_assets.limits import MAX_BATCH_AGE, MAX_SILENCE, MAX_STALE_LISTS, MAX_STORAGE_SHARE
from cinematch_assets.messaging.channels import read_channels
from cinematch_assets.messaging.mlflow_server import LABEL, TrackingUriError
from cinematch_assets.pipeline.export_registry import keys_in_use, server_of
from cinematch_assets.pipeline.models.artifacts import FormatStatus, champion_format_message
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.token_watch import find_token_condition
from cinematch_assets.plurals import count
from cinematch_assets.values import Automation, Condition, OutstandingWork, WaitingDecision
from cinematch_assets.warehouse.approval import list_awaiting
from cinematch_assets.warehouse.batches import UnfinishedBatch, list_unfinished_batches
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.conditions import Freshness, list_conditions, read_freshness, replace_conditions
from cinematch_assets.warehouse.drift_alerts import list_waiting_decisions
from cinematch_assets.warehouse.erasures import list_erasures
from cinematch_assets.warehouse.landed_files import CORRECT
from cinematch_assets.warehouse.monitoring import list_refused_files
from cinematch_assets.warehouse.notification_messages import ChannelState, list_channel_states
from cinematch_assets.warehouse.outstanding import CANNOT_BE_LISTED, list_outstanding
from cinematch_assets.warehouse.warehouse import Session

SENDER = "notification_sensor"
DAEMON_IS_SILENT = "Dagster's daemon is silent"
_FOUND_ELSEWHERE = {"automation", "token"}
"""Kinds of conditions that take more than the warehouse to find: those on record stand for them."""


@dataclass(frozen=True, slots=True)
class AttentionRow:
    """One thing that needs a person, or waits; plain text, which has to be escaped where it goes out."""

    what: str
    since: datetime | None
    why: str
    next_step: str
    needs_a_person: bool
    """False for what goes on by itself."""
    retry_at: datetime | None = None

    @property
    def sentence(self) -> str:
        """``why`` as a sentence, without the name that ``what`` says already."""
        return f"{self.why.removeprefix(f'{self.what}: ').rstrip('.')}."


def attention(platform: Platform, automation: Automation | None = None) -> list[AttentionRow]:
    """Return what needs a person, then what waits, each with the oldest first.

    Args:
        platform: whose state is read.
        automation: ticks and heartbeat; None where Dagster is not known: then what ``watch`` recorded of them holds.
    """
    now = datetime.now(UTC)
    channels = read_channels(platform.settings.notify)
    mlflow = keys_in_use(platform)
    with platform.warehouse.session() as session:
        outstanding = session.run(list_outstanding)
        champion = session.run(read_champion)
        decisions = session.run(list_waiting_decisions)
        unfinished = session.run(list_unfinished_batches)
        freshness = session.run(read_freshness)
        left = [*_left_to_a_person(session)]
        recorded = session.run(list_conditions)
        refused = session.run(list_refused_files)
        states = session.run(list_channel_states, [channel.key for channel in channels.usable])
        exports = session.run(list_channel_states, mlflow)
    rows = [_outstanding_row(each) for each in outstanding if each.state != "running"]
    known: set[tuple[str, str]] = {(each.kind, each.work) for each in outstanding}
    rows += _unseen_work(decisions, unfinished, known, now)
    named = {each.reason for each in outstanding}
    for path, note in refused:
        if note not in named:
            rows.append(AttentionRow(path, None, note or "it was refused", CORRECT, needs_a_person=True))
    rows += left
    if champion is not None and FormatStatus.of(champion) is not FormatStatus.READABLE:
        why = champion_format_message(platform, champion)
        step = "do what the reason names; cinematch models list shows the versions"
        rows.append(AttentionRow("champion", None, why, step, needs_a_person=True))
    budget = platform.settings.storage_budget_mb * 2**20
    conditions = [*find_conditions(freshness, automation, budget_bytes=budget, now=now)]
    elsewhere = _FOUND_ELSEWHERE if automation is None else _FOUND_ELSEWHERE - {"automation"}
    conditions += [each for each in recorded if each.kind in elsewhere]
    times = {each.name: each.since for each in recorded}
    for each in conditions:
        since = times.get(each.name, each.since)
        rows.append(AttentionRow(each.name, since, each.reason, each.next_step, needs_a_person=True))
    test = "run cinematch notify test"
    rows += [AttentionRow("notifications", None, fault, test, needs_a_person=True) for fault in channels.faults]
    for state in states:
        if state.fault:
            why = f"{state.fault}; {count(state.waiting, 'message')} for it {'waits' if state.waiting == 1 else 'wait'}"
            rows.append(AttentionRow("notifications", state.failing_since, why, test, needs_a_person=True))
    rows += _mlflow_rows(platform, exports)
    return sorted(rows, key=lambda row: (not row.needs_a_person, row.since or now))


def _left_to_a_person(session: Session) -> Iterator[AttentionRow]:
    """Erasures that were cut off, and versions that await approval."""
    for erasure in session.run(list_erasures, unfinished=True):
        step = "run cinematch forget --resume; it goes on where it was cut off"
        yield AttentionRow("erasure", erasure.requested_at, erasure.state, step, needs_a_person=True)
    for version in session.run(list_awaiting):
        why = f"{version.why}: {version.reason}"
        yield AttentionRow("approval", version.since, why, version.next_step, needs_a_person=True)


def _mlflow_rows(platform: Platform, exports: Sequence[ChannelState]) -> Iterator[AttentionRow]:
    """MLflow where it is behind, or where MLFLOW_TRACKING_URI can lead to none."""
    try:
        server_of(platform)
    except TrackingUriError as fault:
        yield AttentionRow(LABEL, None, str(fault), "correct MLFLOW_TRACKING_URI, or unset it", needs_a_person=True)
    for state in exports:
        if state.fault:
            why = f"{state.fault}; since then it misses what changed in the registry"
            step = "mend what the reason names, or unset MLFLOW_TRACKING_URI; it catches up by itself, or at once with "
            step += "cinematch models mlflow"
            yield AttentionRow(LABEL, state.failing_since, why, step, needs_a_person=True)


def watch(platform: Platform, automation: Automation | None) -> None:
    """Record the conditions that hold, so that people are told; nothing is written when nothing changed."""
    now = datetime.now(UTC)
    with platform.warehouse.session() as session:
        budget = platform.settings.storage_budget_mb * 2**20
        found = [*find_conditions(session.run(read_freshness), automation, budget_bytes=budget, now=now)]
        if (token := find_token_condition(platform.settings, now)) is not None:
            found.append(token)
        session.run(replace_conditions, found)


def is_sender_silent(automation: Automation, now: datetime) -> bool:
    """Whether the sensor that tells people is silent, or the daemon; one that is off was turned off on purpose."""
    return any(each.name in {DAEMON_IS_SILENT, f"{SENDER} is silent"} for each in _silences(automation, now))


def find_conditions(
    freshness: Freshness, automation: Automation | None, *, budget_bytes: int, now: datetime
) -> Iterator[Condition]:
    """Find the conditions that hold; their words stay the same as long as they do."""
    share = freshness.used_bytes / budget_bytes
    if share > MAX_STORAGE_SHARE:
        why = f"over {MAX_STORAGE_SHARE:.0%} of {budget_bytes // 2**20:,} MB are used"
        step = "run the job maintain, remove old batches, or raise CINEMATCH_STORAGE_BUDGET_MB"
        yield Condition("storage is nearly full", "storage", why, step, None)
    newest = freshness.newest_batch_at
    if newest is not None and now - newest > MAX_BATCH_AGE:
        why = f"the newest batch came on {newest:%Y-%m-%d}, and one is expected each week"
        step = "put the next batch into the folder, or see why it was not read"
        yield Condition("a batch is late", "batch late", why, step, newest + MAX_BATCH_AGE)
    stale = freshness.lists_stale_since
    if stale is not None and now - stale > MAX_STALE_LISTS:
        why = "the recommendations are not those of the champion"
        yield Condition("recommendations are stale", "lists stale", why, "materialize recommendations", stale)
    if automation is not None:
        yield from _silences(automation, now)


def _silences(automation: Automation, now: datetime) -> Iterator[Condition]:
    beat = automation.heartbeat_at
    restart = "start cinematch dev, or dagster-daemon where it runs as a service"
    if beat is not None and now - beat > MAX_SILENCE:
        why = f"its last heartbeat was at {beat:%Y-%m-%d %H:%M} UTC: no sensor looks at anything"
        yield Condition(DAEMON_IS_SILENT, "automation", why, restart, beat)
        return
    for tick in automation.ticks:
        if tick.is_off:
            step = "turn it on in the UI, under Automation"
            yield Condition(f"{tick.name} is off", "automation", "nothing of what it does happens", step, tick.at)
        elif tick.at is not None and now - tick.at > MAX_SILENCE:
            why = f"its last tick was at {tick.at:%Y-%m-%d %H:%M} UTC"
            yield Condition(f"{tick.name} is silent", "automation", why, f"see its ticks in the UI; {restart}", tick.at)


def _unseen_work(
    decisions: Sequence[WaitingDecision],
    unfinished: Sequence[UnfinishedBatch],
    known: set[tuple[str, str]],
    now: datetime,
) -> Iterator[AttentionRow]:
    """Decisions and batches that no sensor has looked at, as while the sensors are off."""
    for decision in decisions:
        if ("retraining", decision.batch_id) not in known:
            why = f"{decision.reason}; retraining_sensor has not looked at it"
            step = "turn retraining_sensor on in the UI, or materialize the job retrain"
            yield _unseen(f"retraining {decision.batch_id}", decision.decided_at, why, step, now)
    for batch in unfinished:
        if not batch.is_assessed and not known & {("assessment", batch.batch_id), ("batch", batch.batch_id)}:
            why = "loaded and not assessed yet, so not trained on; drive_sensor has not looked at it"
            step = "turn drive_sensor on in the UI, or materialize drift_report for it"
            yield _unseen(f"assessment {batch.batch_id}", batch.loaded_at, why, step, now)


def _unseen(what: str, since: datetime | None, why: str, step: str, now: datetime) -> AttentionRow:
    """What no sensor has looked at needs a person only once a sensor that works would have."""
    return AttentionRow(what, since, why, step, needs_a_person=since is None or now - since > MAX_SILENCE)


def _outstanding_row(work: OutstandingWork) -> AttentionRow:
    what = CANNOT_BE_LISTED if work.kind == "folder" else f"{work.name}, {work.state.replace('_', ' ')}"
    return AttentionRow(what, work.since, work.reason, work.next_step, work.needs_a_person, work.retry_at)
