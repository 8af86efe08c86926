"""``cinematch audit``: who did what, and why.

Here: arguments and output. Not here: the entries (``warehouse.audit``).
"""

from typing import Annotated

import typer

from cinematch_assets.cli.options import HowManyRows, Json
from cinematch_assets.cli.output import print_json, print_table
from cinematch_assets.warehouse.audit import Action


def audit(
    action: Annotated[Action | None, typer.Option(help="Only entries of this kind.")] = None,
    limit: HowManyRows = 50,
    json: Json = False,
) -> None:
    """List promotions, rollbacks, releases, corrections, removals, erasures and changed settings, with who and why.

    Example: cinematch audit --action promotion --limit 10
    """
    from dataclasses import asdict

    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.audit import list_audit_entries

    entries = Platform.open().warehouse.run(list_audit_entries, action=action, limit=limit)
    if json:
        print_json([asdict(entry) for entry in entries])
        return
    print_table(
        "Audit",
        ("at", "action", "subject", "by", "reason"),
        [(entry.at, entry.action, entry.subject, str(entry.by), entry.reason) for entry in entries],
    )
