"""``cinematch export``: the published recommendations as files.

Here: arguments and output. Not here: the contract (``pipeline.models.export_recommendations``).
"""

from typing import Annotated

import typer

from cinematch_assets.cli.options import Json
from cinematch_assets.cli.output import out, print_json
from cinematch_assets.plurals import count


def export(
    to: Annotated[
        str | None, typer.Argument(help="A folder or s3://bucket/prefix; by default the platform's store.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the published recommendations as Parquet and CSV, and point exports/recommendations/latest.json to them.

    Example: cinematch export s3://bucket/lists
    """
    from dataclasses import asdict

    from cinematch_assets.pipeline.models.export_recommendations import LATEST_KEY, export_recommendations
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.storage.opening import open_store

    platform = Platform.open()
    target = open_store(to) if to else platform.store
    exported = export_recommendations(platform, target)
    if json:
        print_json(asdict(exported) | {"uri": target.uri(exported.folder), "latest": target.uri(LATEST_KEY)})
        return
    out.print(
        f"{count(exported.rows, 'recommendation')} for {count(exported.users, 'user')} by {exported.model_version}: "
        f"{target.uri(exported.folder)}"
    )
