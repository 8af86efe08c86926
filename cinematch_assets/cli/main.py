"""The command ``cinematch``.

Here: which commands there are, and how errors end. Not here: what they do (a module each).
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from dotenv import load_dotenv

from cinematch_assets.cli import asking, drive, models, operating, rejects
from cinematch_assets.cli.output import err
from cinematch_assets.errors import CinematchError

app = typer.Typer(
    help="From a folder of movie ratings to validated tables, drift reports, a gated model and recommendations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they may hold a URL with a password
)
app.add_typer(drive.app, name="drive")
app.add_typer(models.app, name="models")
app.add_typer(rejects.app, name="rejects")
operating.register(app)
asking.register(app)


@app.command()
def demo(
    data: Annotated[
        str, typer.Option(help="ml-100k, ml-latest-small, synthetic, synthetic:1_000_000, or a folder.")
    ] = "ml-100k",
) -> None:
    """The whole loop, end to end, on an embedded database: files, tables, model, three batches, recommendations."""
    from cinematch_assets.cli.demo import run_demo

    run_demo(data)


def main() -> None:
    """Run the command; an error that a person is meant to read is one sentence and exit code 1."""
    load_dotenv(Path.cwd() / ".env")
    try:
        app()
    except CinematchError as fault:
        err.print(f"[red]error:[/] {fault}", highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
