"""Give MLflow every model version, with the alias ``champion``: an export of the registry, fed by the outbox.

Here: what a version is in MLflow, and one round. Not here: the outbox (``warehouse.notification_messages``), MLflow
itself (``messaging.mlflow_server``), who starts a round (``defs.automation.mlflow_sensor``). Decision 66 says why a
message asks for the whole registry. Nothing goes over that is about a person: no ids, no ratings, no lists, no names
of those who acted and no reasons they wrote.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cinematch_assets.messaging.channels import ChannelError
from cinematch_assets.messaging.mlflow_server import BUDGET_S, LABEL, LIMIT_S, MlflowServer, TrackingUriError
from cinematch_assets.messaging.mlflow_writer import VERSION_TAG, RegisteredVersion, Registry, Written
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.send_notifications import FIRST_GAP_S, gap_s
from cinematch_assets.plurals import count
from cinematch_assets.values import NotificationKind
from cinematch_assets.warehouse.model_registry import (
    ModelVersion,
    VersionMoments,
    list_model_versions,
    read_champion_version,
    read_version_moments,
)
from cinematch_assets.warehouse.notification_messages import (
    claim_message,
    finish_message,
    postpone_message,
    register_channel,
    release_message,
    request_export,
)

KINDS: tuple[NotificationKind, ...] = ("promoted", "rejected", "awaiting approval", "champion changed", "erasure")
"""What is recorded when the registry changes; a candidate that was not decided on goes over with the next of them."""
NOT_WANTED = "MLFLOW_TRACKING_URI names no server"
_HOLDOUT = {"new": "holdout", "new_ranking": "holdout_ranking"}
"""The evidence's name for the waiting batches' newest rows → MLflow's."""
_MAX_TAG_LENGTH = 4_000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Export:
    """What a round did: ``written`` is None where nothing was to be done, or ``fault`` says why it was not."""

    written: Written | None = None
    fault: str = ""

    def __str__(self) -> str:
        """In one line."""
        if self.written is None:
            return self.fault or "nothing to write"
        said = [f"{count(len(self.written.versions), 'version')} written"]
        said += [f"{self.written.left} left for the next round"] if self.written.left else []
        said += [f"champion is {self.written.champion}"] if self.written.champion else []
        return f"{LABEL}: {', '.join(said)}"


def server_of(platform: Platform) -> MlflowServer | None:
    """Return the server that the settings name, None without one.

    Raises:
        TrackingUriError: they name none that can be written to.
    """
    return MlflowServer.of(platform.settings.mlflow_tracking_uri, platform.settings.mlflow_name)


def keys_in_use(platform: Platform) -> list[str]:
    """Return the key of the server as a channel; none without a server, or where none can be written to."""
    try:
        server = server_of(platform)
    except TrackingUriError:
        return []
    return [] if server is None else [server.key]


def export_registry(
    platform: Platform,
    *,
    is_asked: bool = False,
    first_gap_s: float = FIRST_GAP_S,
    budget_s: float = BUDGET_S,
    limit_s: float = LIMIT_S,
) -> Export:
    """Write what the outbox says is due; a server that is down fails nothing.

    The message waits then, with growing gaps, and the next attempt that gets through brings everything.

    Args:
        platform: whose registry.
        is_asked: by a person: nothing has to have changed, and no gap is waited for.
        first_gap_s: pause after the first failure.
        budget_s: after this time the rest is left for the next round.
        limit_s: after this time the round has failed.

    Raises:
        TrackingUriError: MLFLOW_TRACKING_URI names no server that can be written to.
    """
    server = server_of(platform)
    if server is None:
        return Export(fault=NOT_WANTED)
    with platform.warehouse.session() as session:
        session.run(register_channel, server.key, LABEL, KINDS)
        if is_asked:
            session.run(request_export, server.key)
        claimed = session.run(claim_message, server.key, pause_s=0)
    if claimed is None:
        return Export(fault="another process writes to MLflow at the moment" if is_asked else "")
    try:
        done = server.write(read_registry(platform), budget_s, limit_s)
    except ChannelError as fault:
        _LOG.warning("%s", fault)
        platform.warehouse.run(postpone_message, claimed.id, str(fault), gap_s(claimed.attempts, first_gap_s))
        return Export(fault=str(fault))
    platform.warehouse.run(release_message if done.left else finish_message, claimed.id)
    return Export(done)


def read_registry(platform: Platform) -> Registry:
    """Return the registry as MLflow is to hold it; the champion is read first, so it is among the versions."""
    with platform.warehouse.session() as session:
        champion = session.run(read_champion_version)
        versions = session.run(list_model_versions)
        moments = session.run(read_version_moments)
    shown = tuple(show_version(each, moments[each.version]) for each in reversed(versions))
    return Registry(platform.settings.mlflow_name, shown, champion)


def show_version(row: ModelVersion, moments: VersionMoments) -> RegisteredVersion:
    """Return a version as MLflow shows it: what never changes as parameters, figures as metrics, the rest as tags."""
    evidence, metrics = dict(row.evidence or {}), dict(row.metrics or {})
    # After it a person's words may stand in its place.
    reason = str(evidence.pop("gate_reason", None) or evidence.get("reason") or "not decided on yet")
    evidence.pop("reason", None)
    policy = evidence.pop("policy", None) or {}
    figures = {f"test/{name}": value for name, value in _leaves(metrics)}
    figures |= {f"gate/{_HOLDOUT.get(part, part)}": value for part, value in evidence.items()}
    leaves = {name: value for key, nested in figures.items() for name, value in _leaves({key: nested})}
    rows = (row.trained_from or {}).get("rows", {})
    tags = {
        VERSION_TAG: row.version,
        "cinematch.state": row.state,
        "cinematch.artifact_sha256": row.artifact_sha256,
        "cinematch.artifact_bytes": str(row.artifact_size),
        "cinematch.artifact_format": str(row.artifact_format),
        "cinematch.dagster_run": row.run_id,
        "cinematch.compared_with": row.previous_champion or "",
        "cinematch.trained_on": ", ".join(f"{table} {number}" for table, number in rows.items()),
        "cinematch.is_erased": str(moments.is_erased).lower(),
        **{f"cinematch.computed_by.{name}": value for name, value in _texts(row.computed_by or {})},
        **{f"cinematch.{name}": value for name, value in leaves.items() if isinstance(value, str)},
    }
    params = {"method": row.method, "seed": row.seed, **{f"config.{n}": v for n, v in _texts(row.config)}}
    params |= {f"gate.{name}": value for name, value in _texts(policy)}
    return RegisteredVersion(
        row.version,
        source=f"cinematch:/{row.artifact_key}",
        created_at=_ms(moments.created_at),
        decided_at=None if moments.decided_at is None else _ms(moments.decided_at),
        description=reason,
        params={name: str(value) for name, value in params.items()},
        metrics={
            "train/ratings": float(row.data_size),
            **{
                name: float(value)
                for name, value in leaves.items()
                if isinstance(value, int | float) and math.isfinite(value)
            },
        },
        tags={name: value[:_MAX_TAG_LENGTH] for name, value in tags.items() if value},
    )


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give nested values as ``outer/inner``; what is absent is left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}/{inner}", leaf) for inner, leaf in _leaves(value))
        elif value is not None:
            yield name, value


def _texts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in _leaves(values):
        yield name.replace("/", "."), str(value)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)
