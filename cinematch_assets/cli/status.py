"""``cinematch status``: the state of the platform.

Here: the command and its formats. Not here: which facts and how they are shown (``status_tables``), names of metrics
(``pipeline.monitoring.metric_families``).
"""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from cinematch_assets.cli.options import Json
from cinematch_assets.cli.output import print_json


class Format(StrEnum):
    """How the state is written."""

    TEXT = "text"
    JSON = "json"
    PROMETHEUS = "prometheus"


def status(
    json: Json = False,
    written: Annotated[
        Format | None,
        typer.Option("--format", help="For people, for programs, or as /metrics of the UI.", show_default="text"),
    ] = None,
) -> None:
    """Show what needs attention first, then files, batches, drift, the champion, storage against its budget.

    With --json also every figure of the page that `cinematch report` writes. With --format prometheus the metrics of
    docs/how-to/metrics.md, also while the warehouse is down: then cinematch_up is 0, and so is not the exit code.

    Example: cinematch status --json
    """
    if json and written not in {None, Format.JSON}:
        raise typer.BadParameter(f"--json and --format {written} contradict each other")
    if written is Format.PROMETHEUS:
        _print_metrics()
        return
    from cinematch_assets.cli.status_tables import print_status, read_status
    from cinematch_assets.dagster_support.instance import existing_instance
    from cinematch_assets.dagster_support.monitoring_page import read_page_facts
    from cinematch_assets.dagster_support.ticks import find_automation
    from cinematch_assets.pipeline.platform import Platform

    platform = Platform.open()
    found = read_status(platform, find_automation(platform.settings))
    if json or written is Format.JSON:
        with existing_instance(platform.settings) as instance:
            page = read_page_facts(platform, instance)
        print_json(found.as_json() | {"page": page.as_json()})
    else:
        print_status(found)


def _print_metrics() -> None:
    """Print the metrics, whole in any case; then fail with the first fault."""
    from cinematch_assets.dagster_support.scrape import read_scrape
    from cinematch_assets.dagster_support.ticks import find_automation
    from cinematch_assets.pipeline.monitoring.metric_families import exposition
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.settings import Settings

    faults: list[Exception] = []
    settings = Settings.from_env()
    scrape = read_scrape(lambda: Platform.open(settings), lambda: find_automation(settings), on_fault=faults.append)
    text, _ = exposition(scrape)
    sys.stdout.write(text.decode())
    if faults:
        raise faults[0]
