"""Commands that run or keep the platform: ``dev``, ``stop``, ``migrate``, ``status``, ``simulate``.

Here: arguments and output. Not here: the work (``pipeline``, ``warehouse``).
"""

from typing import Annotated

import typer

from cinematch_assets.cli.output import out, print_json, print_table
from cinematch_assets.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="For programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (dev, stop, migrate, status, simulate):
        app.command()(command)


def dev(
    port: Annotated[int, typer.Option(help="The UI's port on 127.0.0.1.", min=1, max=65535)] = 3000,
) -> None:
    """Dagster's UI and daemon, sensors running: a file dropped into the folder is all it takes."""
    from cinematch_assets.cli.dev import run_dev

    run_dev(port)


def stop() -> None:
    """End what a killed dev left running, and the embedded server."""
    from cinematch_assets.cli.stop import stop_all

    stop_all()


def migrate() -> None:
    """Bring the database to the newest schema; safe to run twice or from two places at once."""
    from cinematch_assets.warehouse.connection import describe
    from cinematch_assets.warehouse.embedded import embedded_url
    from cinematch_assets.warehouse.migrations import migrate as bring_up

    settings = Settings.from_env()
    url = settings.warehouse_url or embedded_url(settings.home)
    done = bring_up(url)
    said = f"applied {', '.join(done.applied)}" if done.applied else "nothing to do"
    out.print(f"{describe(url)}: {said}; the schema is {done.schema}", highlight=False)


def status(json: Json = False) -> None:
    """Batches, drift, champion, storage against budget, what waits for whom."""
    from cinematch_assets.cli.status import print_status, read_status
    from cinematch_assets.pipeline.platform import Platform

    found = read_status(Platform.open())
    print_json(found.as_json()) if json else print_status(found)


def simulate(
    drift: Annotated[float, typer.Option(help="Stars by which the batch's mean is above the history's.")] = 0.0,
    rows: Annotated[int | None, typer.Option(help="Ratings in it; 4.3 % of the history's by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="The batch's number by default.")] = None,
) -> None:
    """Put the next weekly batch into the local folder."""
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.pipeline.simulate_batch import simulate_next

    made = simulate_next(Platform.open(), drift=drift, rows=rows, seed=seed)
    print_table(
        "The next batch",
        ("batch", "rows", "mean", "mean so far", "drift asked", "file"),
        [(made.batch_id, made.rows, made.mean, made.baseline_mean, made.drift, str(made.path))],
    )
