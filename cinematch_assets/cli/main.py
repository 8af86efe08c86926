"""The command ``cinematch``.

Here: which commands there are, and how errors end. Not here: what they do (a module each).
"""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from dotenv import load_dotenv
from rich.text import Text
from typer.core import TyperGroup

from cinematch_assets.cli import (
    audit,
    backup,
    batches,
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
from cinematch_assets.cli.entry import INTERRUPTED, STOPPED
from cinematch_assets.cli.error_log import write_entry
from cinematch_assets.cli.output import err, notes
from cinematch_assets.errors import CinematchError
from cinematch_assets.fault_messages import message_of
from cinematch_assets.urls import hide_user_info
from cinematch_assets.visible_text import visible

BUG = 70
"""The exit code after an error that no one foresaw, EX_SOFTWARE of sysexits.h."""
_OF_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF}


@contextmanager
def _visible_arguments() -> Iterator[None]:
    """Show the control characters of what typer repeats of the command line, and no password of a URL in it."""
    try:
        yield
    except typer.TyperException as fault:
        if hasattr(fault, "message"):
            fault.message = visible(hide_user_info(fault.message))
        raise


class _Commands(TyperGroup):
    """The commands; one that a person interrupts ends with a sentence, and wrong arguments are repeated as text."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer's is click's
        with _visible_arguments():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # as above
        try:
            with _visible_arguments():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            err.print(STOPPED)
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Commands,
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
    backup.backup,
    backup.restore,
    simulate.simulate,
    recommend.recommend,
    similar.similar,
    evaluate.evaluate,
    export.export,
    sql.sql,
):
    app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(batches.app, name="batches")
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
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results and errors only: no steps, no progress, no notes.")
    ] = False,
) -> None:
    """Options of the command itself."""
    notes.quiet = quiet


def main() -> None:
    """Run the command; an error is one sentence on standard error, and exit code 1, or ``BUG`` where it is our bug."""
    os.umask(0o077)  # what a command and the processes it starts write (logs, reports) is its user's alone
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for what others print: it never ends a command
    code = _run()
    _settle_output()
    sys.exit(code)


def _run() -> int | str | None:
    try:
        load_dotenv(Path.cwd() / ".env")
        code = _ended_with(app)
        if sys.stdout is not None:  # it may be closed
            sys.stdout.flush()
    except BrokenPipeError:
        return 1  # who reads has gone, and wants no sentence: `cinematch sql … | head`
    except CinematchError as fault:
        _say(str(fault))
        return 1
    except Exception as error:  # noqa: BLE001 - the one boundary: what is not foreseen ends here
        return _report(error)
    return code


def _ended_with(command: Callable[[], object]) -> int | str | None:
    try:
        command()
    except SystemExit as ended:
        return ended.code
    return 0


def _report(error: Exception) -> int:
    """Say what happened in one sentence, with the traceback in the log."""
    message, where = message_of(error), write_entry(error)
    if isinstance(error, OSError) and error.filename is None and error.errno in _OF_OUTPUT:
        message = f"the output cannot be written: {message}"  # files have names
    if message is None:
        _say(f"this is a bug of cinematch ({type(error).__name__}); its traceback is {where}: please report it")
        return BUG
    _say(f"{message} (details: {where})")
    return 1


def _settle_output() -> None:
    """Drop what cannot be written: at the end of the process Python would try again, and complain."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _say(sentence: str) -> None:
    err.print(Text("error: ", "red").append(hide_user_info(sentence), "default"))


if __name__ == "__main__":
    main()
