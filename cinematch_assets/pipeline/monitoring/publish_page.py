"""Store the monitoring page where the UI serves it.

Here: its key, and the name of its copy. Not here: what is in it (``pipeline.monitoring.page``), the route
(``webserver.reports``).
"""

import logging
from collections.abc import Sequence

from cinematch_assets.logs import log_phase
from cinematch_assets.pipeline.monitoring.facts import Facts, FailedRun, read_facts
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import Automation

KEY = "reports/monitoring_report.html"
OPENED_PAGE = "monitoring_report.html"
"""The copy that ``cinematch report --open`` makes under ``CINEMATCH_HOME``."""
_LOG = logging.getLogger(__name__)


def publish_page(
    platform: Platform, failed_runs: Sequence[FailedRun] | None = None, automation: Automation | None = None
) -> Facts:
    """Write the page of now in the place of the one before; return what it says."""
    from cinematch_assets.pipeline.monitoring.page import render  # noqa: PLC0415 - the definitions load without jinja2

    with log_phase(_LOG, "write the monitoring page"):
        facts = read_facts(platform, failed_runs, automation)
        platform.store.put_bytes(KEY, render(facts).encode())
    return facts
