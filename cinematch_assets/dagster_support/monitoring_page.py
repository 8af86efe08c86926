"""The monitoring page as Dagster makes it: with its failed runs, as a materialization, and after a failed step.

Here: what of the page needs Dagster. Not here: the page itself (``pipeline.monitoring``), the asset
(``defs.monitoring.monitoring_report``).
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from cinematch_assets.dagster_support.markdown import INLINE_CHARACTERS, plain
from cinematch_assets.dagster_support.metadata import report_url, uri_metadata
from cinematch_assets.dagster_support.runs import CAUSE_TAG, ended_at
from cinematch_assets.dagster_support.ticks import read_automation
from cinematch_assets.pipeline.platform import Platform

if TYPE_CHECKING:
    from cinematch_assets.pipeline.monitoring.facts import Facts, FailedRun

SHOWN_DAYS = 7
MAX_RUNS = 20
TO_DO_CHARACTERS = 250
_PARTITION = "dagster/partition"


ASSET = dg.AssetKey("monitoring_report")


def materialize_page(platform: Platform, instance: dg.DagsterInstance) -> dict[str, Any]:
    """Write the page; return the metadata of its materialization."""
    from cinematch_assets.pipeline.monitoring.facts import headline
    from cinematch_assets.pipeline.monitoring.publish_page import KEY

    facts = write_page(platform, instance)
    return {
        "summary": headline(facts),
        **_to_do(facts),
        "page": report_url(KEY),
        "needs_attention": len(facts.needs_a_person),
        "dagster/uri": uri_metadata(platform.store.uri(KEY)),
    }


def _to_do(facts: "Facts") -> dict[str, dg.MetadataValue]:
    """What needs a person and what to do, as many as are shown in place."""
    lines = [
        f"* **{plain(each.what)}**: {plain(each.sentence, TO_DO_CHARACTERS)} "
        f"Next: {plain(each.next_step, TO_DO_CHARACTERS)}"
        for each in facts.needs_a_person
    ]
    while lines and len("\n".join(lines)) >= INLINE_CHARACTERS:
        lines.pop()
    return {"to_do": dg.MetadataValue.md("\n".join(lines))} if lines else {}


def write_page(platform: Platform, instance: dg.DagsterInstance | None) -> "Facts":
    """Write the page, with what Dagster knows where it has an instance; return what it says."""
    from cinematch_assets.pipeline.monitoring.publish_page import publish_page

    if instance is None:
        return publish_page(platform, [])
    return publish_page(platform, read_failed_runs(instance), read_automation(instance))


def read_page_facts(platform: Platform, instance: dg.DagsterInstance | None) -> "Facts":
    """Return what the page would say now."""
    from cinematch_assets.pipeline.monitoring.facts import read_facts

    if instance is None:
        return read_facts(platform, [])
    return read_facts(platform, read_failed_runs(instance), read_automation(instance))


def read_failed_runs(instance: dg.DagsterInstance, *, now: datetime | None = None) -> "list[FailedRun]":
    """Return the runs that failed within ``SHOWN_DAYS``, at most ``MAX_RUNS``, newest first."""
    from cinematch_assets.pipeline.monitoring.facts import FailedRun

    since = (now or datetime.now(UTC)) - timedelta(days=SHOWN_DAYS)
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    return [
        FailedRun(
            run_id=record.dagster_run.run_id,
            job=record.dagster_run.job_name,
            ended_at=ended_at(record),
            batch=record.dagster_run.tags.get(_PARTITION),
            message=_message(record.dagster_run),
        )
        for record in instance.get_run_records(filters=failed, limit=MAX_RUNS)
    ]


def _message(run: dg.DagsterRun) -> str:
    """The recorded causes of its steps."""
    found = [value.partition(": ")[2] for name, value in sorted(run.tags.items()) if name.startswith(CAUSE_TAG)]
    return "; ".join(found) or "it was interrupted, or failed before its first step"


@dg.failure_hook(name="publish_page_after_failure", required_resource_keys={"platform"})
def publish_page_after_failure(context: dg.HookContext) -> None:
    """Write the monitoring page: the asset that does it otherwise is skipped after a failed step."""
    materialize_page(context.resources.platform, context.instance)
