"""``cinematch report``: the monitoring page.

Here: arguments and output. Not here: the page (``pipeline.monitoring``), the asset (``defs.monitoring``).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cinematch_assets.cli.options import Json
from cinematch_assets.cli.output import err, out, print_json
from cinematch_assets.cli.processes import AlreadyRunningError, holder
from cinematch_assets.errors import CinematchError
from cinematch_assets.urls import NO_USER_INFO, has_user_info

if TYPE_CHECKING:
    from cinematch_assets.pipeline.monitoring.facts import Facts
    from cinematch_assets.pipeline.platform import Platform


def report(
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    to: Annotated[Path | None, typer.Option("--out", help="Write the page into this file as well.")] = None,
    json: Json = False,
) -> None:
    """Write the page on the state of the platform: what to do, what arrived, drift, models, lists, storage.

    Example: cinematch report --open
    """
    from cinematch_assets.pipeline.monitoring.facts import headline
    from cinematch_assets.pipeline.monitoring.page import render
    from cinematch_assets.pipeline.monitoring.publish_page import KEY, OPENED_PAGE
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.settings import Settings
    from cinematch_assets.storage.atomic_file import write_atomically

    if to is not None and has_user_info(str(to)):
        raise CinematchError(f"--out: {NO_USER_INFO}")
    settings = Settings.from_env()
    try:
        running = holder(settings.home)
    except AlreadyRunningError:  # elsewhere
        running = None
    ui = running.url if running else UI
    platform = Platform.open(settings)
    with err.status("reading the state of the platform ..."):
        facts = store_page(platform)
    if to is None and open_it:
        to = settings.home / OPENED_PAGE
    if to is not None:
        # Outside the UI its links have to name it.
        write_atomically(to, [render(facts, ui=ui).encode()])
    if json:
        print_json(facts.as_json())
    else:
        out.print(headline(facts))
        out.print(f"the page: {to or platform.store.uri(KEY)}; in cinematch dev it is {ui}/{KEY}")
    if open_it and to is not None:
        typer.launch(to.resolve().as_uri())


def store_page(platform: "Platform") -> "Facts":
    """Write the page into the store, with the failed runs that Dagster knows; return what it says."""
    from cinematch_assets.dagster_support.instance import existing_instance
    from cinematch_assets.dagster_support.monitoring_page import write_page

    with existing_instance(platform.settings) as instance:
        return write_page(platform, instance)


UI = "http://127.0.0.1:3000"
"""Where ``cinematch dev`` opens the UI by default."""
