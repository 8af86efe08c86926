"""The commands as the program declares them, each with its arguments and options.

Here: walking the tree. Not here: the page (``commands_page``), what a command does (``cinematch_assets.cli``).
"""

from collections.abc import Iterator
from typing import Any

import typer

from cinematch_assets.cli.main import app


def commands() -> Iterator[tuple[str, Any]]:
    """Every command as it is typed behind ``cinematch``, such as ``models list``, in the order of the help."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        if below is None:
            yield name, command
        else:
            yield from ((f"{name} {rest}", each) for rest, each in below.items())
