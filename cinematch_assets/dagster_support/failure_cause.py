"""Why a step failed, recorded as a tag of its run: attempts are counted by cause.

Here: the hook of the jobs. Not here: the classification (``faults``), what is done about it (``attempts``).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg

from cinematch_assets.dagster_support.runs import CAUSE_TAG
from cinematch_assets.errors import CinematchError
from cinematch_assets.fault_messages import message_of
from cinematch_assets.faults import Cause, cause_of

MAX_MESSAGE_LENGTH = 500
NEXT_STEP = "\nNext: "
"""In a failure's text: what a person can do comes after it."""


@contextmanager
def with_next_step(next_step: Callable[[], str]) -> Iterator[None]:
    """Add to the text of a content that is refused what a person can do; the page of the run shows it.

    Raises:
        dg.Failure: the content is refused; the run is not tried again, because it stays refused.
    """
    try:
        yield
    except CinematchError as fault:
        if cause_of(fault) is not Cause.CONTENT:
            raise
        raise dg.Failure(f"{fault}{NEXT_STEP}{next_step()}", allow_retries=False) from fault


@dg.failure_hook(name="record_cause")
def record_cause(context: dg.HookContext) -> None:
    """Tag the run with the cause of the step's failure; without a tag it counts as interrupted."""
    error = context.op_exception
    if error is None:
        return
    value = describe_failure(error)
    context.log.error("%s: %s", context.op.name, value)
    context.instance.add_run_tags(context.run_id, {f"{CAUSE_TAG}{context.op.name}": value})


def describe_failure(error: BaseException) -> str:
    """Return ``<cause>: <sentence>``, no next step; of a bug only the class, since its text may hold anything."""
    cause = cause_of(error)
    if cause is Cause.BUG:
        return f"{cause}: {type(error).__name__}: see the run's log"
    said = error.description if isinstance(error, dg.Failure) and error.description else message_of(error)
    said = (said or "").partition(NEXT_STEP)[0]
    return f"{cause}: {(said or type(error).__name__)[:MAX_MESSAGE_LENGTH]}"
