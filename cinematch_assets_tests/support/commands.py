"""The tree of commands, read from typer itself, and arguments with which each one shows what it can.

Here: what exists and how it is called. Not here: the platform on which it runs, what is expected of it (``cli``).
"""

from collections.abc import Iterator
from typing import Any

import typer

from cinematch_assets.cli.main import app


def leaves(command: Any = None, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command that can be run, with the words by which it is called."""
    command = command or typer.main.get_command(app)
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from leaves(each, *words, name)
    else:
        yield words, command


LEAVES = dict(leaves())
SHOWING: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    ("migrate",): ((),),
    ("doctor",): ((),),
    ("status",): ((), ("--format", "prometheus")),
    ("report",): ((), ("--out", "page.html")),
    ("audit",): ((), ("--limit", "500")),
    ("forget",): (("--certificate",), ("--resume",)),
    ("backup",): (("copies",),),
    ("restore",): (("copies",), ("nowhere",)),
    ("simulate",): ((),),
    ("recommend",): (("1", "-k", "60"), ("--likes", "Film 50", "-k", "60")),
    ("similar",): (("50", "-k", "60"),),
    ("evaluate",): (("--train", "hostile.csv", "--test", "hostile.csv"),),
    ("export",): ((),),
    ("sql",): (("SELECT title, genres FROM movies ORDER BY movieid LIMIT 40",), ("SELECT 1", "--lines")),
    ("models", "list"): ((),),
    ("models", "promote"): (("run_x",),),
    ("models", "reject"): (("run_x",),),
    ("models", "rollback"): ((),),
    ("models", "verify"): (("run_x",),),
    ("models", "mlflow"): ((),),
    ("batches", "list"): ((),),
    ("batches", "remove"): (("batch_x", "--yes"),),
    ("batches", "restore"): (("batch_x",),),
    ("rejects", "list"): ((), ("ratings.csv", "--limit", "500")),
    ("rejects", "release"): (("--path", "ratings.csv"),),
    ("drive", "check"): ((),),
    ("drive", "login"): (("--client-secrets", "nowhere.json"),),
    ("notify", "test"): ((),),
    ("notify", "list"): ((),),
    ("features", "refit"): ((),),
}
"""How each command is run; the others would start servers, and only their arguments are tried."""
SERVERS = {("demo",), ("dev",), ("stop",)}
