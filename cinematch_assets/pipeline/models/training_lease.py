"""One retraining at a time on a warehouse, also when several platforms work on it.

Here: holding the lease while a model is trained and decided on, and whether there is still something to train for. Not
here: the row (``warehouse.leases``), runs of one platform, which Dagster keeps apart (``defs.automation.jobs``).
"""

import logging
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cinematch_assets.errors import CinematchError, SurroundingsError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.drift_alerts import list_waiting_decisions
from cinematch_assets.warehouse.leases import return_lease, take_lease

RETRAINING = "retraining"
LEASE_S = 60.0
"""After a kill the lease ends by itself after so long; a run that goes on renews it."""
_RENEWED_EVERY_S = 10.0
_LOG = logging.getLogger(__name__)


class AnsweredMeanwhileError(CinematchError):
    """Another platform trained a model for the decisions of this run."""


@contextmanager
def hold_training_lease(platform: Platform, run_id: str, *, keep: bool = False) -> Iterator[None]:
    """Hold the lease on retraining, renewed by a thread; ``keep`` leaves it to the run's next step.

    Raises:
        LeaseHeldError: another run has it; the message says who.
    """
    holder = f"{socket.gethostname()} ({platform.settings.home.resolve()})"
    platform.warehouse.run(take_lease, RETRAINING, holder, run_id, LEASE_S)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(_RENEWED_EVERY_S):
            try:
                platform.warehouse.run(take_lease, RETRAINING, holder, run_id, LEASE_S)
            except SurroundingsError as fault:  # the server restarts, or the lease was lost: promotion checks again
                _LOG.warning("the lease on retraining was not renewed: %s", fault)

    renewer = threading.Thread(target=renew, name="training-lease", daemon=True)
    renewer.start()
    finished = False
    try:
        yield
        finished = True
    finally:
        done.set()
        renewer.join()
        if not (finished and keep):
            platform.warehouse.run(return_lease, RETRAINING, run_id)


def require_waiting(platform: Platform, decisions: Mapping[str, str]) -> None:
    """Refuse to train for decisions, batch_id → md5, that have all been answered since the run was requested.

    Raises:
        AnsweredMeanwhileError: naming the batches.
    """
    waiting = {(each.batch_id, each.md5) for each in platform.warehouse.run(list_waiting_decisions)}
    if decisions and waiting.isdisjoint(decisions.items()):
        raise AnsweredMeanwhileError(
            f"retraining for {', '.join(sorted(decisions))} was answered by another run meanwhile: nothing to train"
        )
