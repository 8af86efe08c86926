"""``cinematch status``: the state of the platform.

Here: the command. Not here: which facts and how they are shown (``status_tables``).
"""

from cinematch_assets.cli.options import Json
from cinematch_assets.cli.output import print_json


def status(json: Json = False) -> None:
    """Show files, batches, drift, the champion, storage against its budget, and what needs attention.

    Example: cinematch status --json
    """
    from cinematch_assets.cli.status_tables import print_status, read_status
    from cinematch_assets.pipeline.platform import Platform

    found = read_status(Platform.open())
    if json:
        print_json(found.as_json())
    else:
        print_status(found)
