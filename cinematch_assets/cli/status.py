"""``cinematch status``: the state of the platform.

Here: the command. Not here: which facts and how they are shown (``status_tables``).
"""

from cinematch_assets.cli.options import Json
from cinematch_assets.cli.output import print_json


def status(json: Json = False) -> None:
    """Show what needs attention first, then files, batches, drift, the champion, storage against its budget.

    With --json also every figure of the page that `cinematch report` writes.

    Example: cinematch status --json
    """
    from cinematch_assets.cli.status_tables import print_status, read_status
    from cinematch_assets.dagster_support.instance import existing_instance
    from cinematch_assets.dagster_support.monitoring_page import read_page_facts
    from cinematch_assets.dagster_support.ticks import find_automation
    from cinematch_assets.pipeline.platform import Platform

    platform = Platform.open()
    found = read_status(platform, find_automation(platform.settings))
    if json:
        with existing_instance(platform.settings) as instance:
            page = read_page_facts(platform, instance)
        print_json(found.as_json() | {"page": page.as_json()})
    else:
        print_status(found)
