"""One scrape: the warehouse's facts and Dagster's signs of life, each without the other if it must be.

Here: reading both, and what is left when one cannot be read. Not here: names of metrics
(``pipeline.monitoring.metric_families``), the route (``webserver.metrics_route``).
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import Automation

if TYPE_CHECKING:
    from cinematch_assets.pipeline.monitoring.metric_families import Scrape
    from cinematch_assets.pipeline.monitoring.scrape_facts import ScrapeFacts

_LOG = logging.getLogger(__name__)


def read_scrape(
    open_platform: Callable[[], Platform],
    read_automation: Callable[[], Automation | None],
    *,
    on_fault: Callable[[Exception], None] = lambda _fault: None,
    now: datetime | None = None,
) -> "Scrape":
    """Read everything; what is down is missing in the result, and logged.

    Args:
        open_platform: called at each scrape, as a warehouse that was down may be up again.
        read_automation: ticks and heartbeat from Dagster's storage; returns None where Dagster never ran.
        on_fault: called with each reason for which something is missing.
        now: by default the time.
    """
    from cinematch_assets.pipeline.monitoring.metric_families import Scrape

    started, now = time.monotonic(), now or datetime.now(UTC)
    automation, has_dagster = None, None
    try:
        automation = read_automation()
        has_dagster = None if automation is None else True
    except (CinematchError, dg.DagsterError, SQLAlchemyError, OSError) as fault:
        has_dagster = False
        _note("Dagster's storage", fault, on_fault)
    facts: ScrapeFacts | None = None
    try:
        facts = _read_facts(open_platform(), automation, now)
    except (CinematchError, OSError) as fault:
        _note("the warehouse", fault, on_fault)
    return Scrape(now, facts, automation, has_dagster, time.monotonic() - started)


def _read_facts(platform: Platform, automation: Automation | None, now: datetime) -> "ScrapeFacts":
    from cinematch_assets.pipeline.monitoring.scrape_facts import read_scrape_facts

    return read_scrape_facts(platform, automation, now=now)


def _note(what: str, fault: Exception, on_fault: Callable[[Exception], None]) -> None:
    _LOG.warning("/metrics: %s cannot be read: %s", what, fault)
    on_fault(fault)
