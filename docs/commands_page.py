"""The page ``docs/reference/commands.md``: every command with its example, arguments and options.

Here: the page. Not here: its words, which are those of the commands' help (``cinematch_assets.cli``).
"""

import inspect
import re
from pathlib import Path
from typing import Any

from docs.cells import cell, code
from docs.command_tree import commands

PAGE = Path(__file__).parent / "reference" / "commands.md"

_HEAD = """\
# Commands

<!-- Generated from the commands' help by `python -m docs`, and compared by a test. Mend the help instead. -->

`cinematch COMMAND --help` says the same. `cinematch --quiet COMMAND` prints results and errors only, and `cinematch
--version` the version. A command ends with 0 when it did what was asked, with 1 and one sentence when it could not,
with 2 when it was called wrongly, and with 130 when it was interrupted.

| command | does |
|---|---|
"""


def page() -> str:
    """The whole page, as Markdown."""
    found = list(commands())
    lines = [f"| [cinematch {name}](#cinematch-{name.replace(' ', '-')}) | {_summary(each)} |" for name, each in found]
    return _HEAD + "\n".join(lines) + "\n" + "".join(_section(name, each) for name, each in found)


def _words(command: Any) -> str:
    return inspect.cleandoc(command.help or "")


def _summary(command: Any) -> str:
    return cell(" ".join(_words(command).split("\n\n")[0].split()))


def _section(name: str, command: Any) -> str:
    about, _, example = _words(command).partition("Example:")
    paragraphs = [" ".join(part.split()) for part in about.strip().split("\n\n")]
    lines = ["", f"## cinematch {name}", "", *(line for part in paragraphs for line in (cell(part), ""))]
    if example:
        lines += ["```sh", " ".join(example.split()), "```", ""]
    rows = [_row(param) for param in command.params if not param.hidden]
    if rows:
        lines += ["| argument or option | meaning | default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(param: Any) -> str:
    is_option = param.param_type_name == "option"
    names = (
        ", ".join(code(name) for name in (*param.opts, *param.secondary_opts)) if is_option else code(_metavar(param))
    )
    return f"| {names} | {cell(param.help or '')} | {_default(param)} |"


def _metavar(param: Any) -> str:
    name = (param.metavar or param.name).upper()
    return name + ("..." if param.nargs == -1 else "")


def _default(param: Any) -> str:
    if param.required:
        return "required"
    default = param.default
    if default is None or default is False or re.fullmatch(r"Sentinel\..*", str(default)) or default in ((), []):
        return ""
    return code("on" if default is True else str(default))
