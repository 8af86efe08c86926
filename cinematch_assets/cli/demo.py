"""``cinematch demo``: the whole loop on this machine.

Here: the command. Not here: what it does (``demo_run``).
"""

from typing import Annotated

import typer


def demo(
    data: Annotated[
        str, typer.Option(help="ml-100k, ml-latest-small, synthetic, synthetic:1_000_000, or a folder.")
    ] = "ml-100k",
) -> None:
    """Run the whole loop on an embedded database: files, tables, model, three batches, drift, recommendations.

    Example: cinematch demo --data ml-latest-small
    """
    from cinematch_assets.cli.demo_run import run_demo

    run_demo(data)
