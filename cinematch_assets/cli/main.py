"""The command ``cinematch``.

Here: which commands there are, and how errors end. Not here: what they do (a module each).
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from dotenv import load_dotenv
from rich.text import Text

from cinematch_assets.cli import (
    audit,
    demo,
    dev,
    doctor,
    drive,
    evaluate,
    export,
    features,
    forget,
    migrate,
    models,
    monitoring_report,
    notify,
    recommend,
    rejects,
    similar,
    simulate,
    sql,
    status,
    stop,
)
from cinematch_assets.cli.output import err
from cinematch_assets.errors import CinematchError

app = typer.Typer(
    help="From a folder of movie ratings to validated tables, drift reports, a gated model and recommendations.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,  # they may hold a URL with a password
)
for command in (
    demo.demo,
    dev.dev,
    stop.stop,
    migrate.migrate,
    doctor.doctor,
    status.status,
    monitoring_report.report,
    audit.audit,
    forget.forget,
    simulate.simulate,
    recommend.recommend,
    similar.similar,
    evaluate.evaluate,
    export.export,
    sql.sql,
):
    app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(rejects.app, name="rejects")
app.add_typer(drive.app, name="drive")
app.add_typer(notify.app, name="notify")
app.add_typer(features.app, name="features")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"cinematch-assets {version('cinematch-assets')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of the command itself."""


def main() -> None:
    """Run the command; an error meant for people is one sentence on standard error, and exit code 1."""
    os.umask(0o077)  # what a command and the processes it starts write (logs, reports) is its user's alone
    load_dotenv(Path.cwd() / ".env")
    try:
        app()
    except CinematchError as fault:
        err.print(Text("error: ", "red").append(str(fault), "default"))
        sys.exit(1)


if __name__ == "__main__":
    main()
