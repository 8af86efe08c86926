"""``cinematch doctor``: what a deployment needs, and what to do where it is missing.

Here: arguments and output. Not here: the checks (``pipeline.deployment_checks``).
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cinematch_assets.cli.options import Json
from cinematch_assets.cli.output import out, print_json
from cinematch_assets.settings import InvalidSettingError, Settings

if TYPE_CHECKING:
    from cinematch_assets.drive.diagnose import Finding

_WORDS = {"ok": ("ok  ", "green"), "warning": ("warn", "yellow"), "failed": ("fail", "red")}


def doctor(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port that the UI is to have.")] = 3000,
    json: Json = False,
) -> None:
    """Check Python, versions, port, disk, databases, folder, token and store, and say what to do.

    Example: cinematch doctor --json
    """
    from rich.text import Text

    checked = []
    for finding in _read_findings(port):
        checked.append(finding)
        if not json:
            word, colour = _WORDS[finding.status]
            out.print(Text.assemble((word, colour), f" {finding.subject:<9} {finding.message}"))
    if json:
        print_json([asdict(finding) for finding in checked])
    if any(finding.status == "failed" for finding in checked):
        raise typer.Exit(1)


def _read_findings(port: int) -> "Iterator[Finding]":
    from cinematch_assets.drive.diagnose import Finding
    from cinematch_assets.pipeline.deployment_checks import check_deployment

    try:
        settings = Settings.from_env()
    except InvalidSettingError as fault:
        yield Finding("settings", "failed", str(fault))
        return
    yield Finding("settings", "ok", "every variable has a usable value")
    yield from check_deployment(settings, port)
