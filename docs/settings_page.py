"""The page ``docs/reference/settings.md``: every environment variable with its default and bounds.

Here: the page. Not here: its facts (``cinematch_assets.settings``).
"""

from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from cinematch_assets.settings import Settings
from docs.cells import cell, code

PAGE = Path(__file__).parent / "reference" / "settings.md"

_HEAD = """\
# Settings

<!-- Generated from `cinematch_assets/settings.py` by `python -m docs`, and compared by a test. -->

Each is an environment variable, or a line of a file `.env` in the folder in which a command is run. None has to be
set. An empty one counts as unset; a value that cannot be used is refused in a sentence that names the variable. AWS'
and Google's own variables, such as `AWS_REGION`, hold here as well.

| variable | meaning | default | allowed |
|---|---|---|---|
"""

_BOUNDS = {"Ge": ("ge", "≥"), "Gt": ("gt", ">"), "Le": ("le", "≤"), "Lt": ("lt", "<")}


def page() -> str:
    """The whole page, as Markdown."""
    return _HEAD + "".join(_row(field) for field in Settings.model_fields.values())


def _row(field: FieldInfo) -> str:
    default = "" if field.default is None else code(str(field.default))
    return f"| `{field.alias}` | {cell(field.description or '')} | {default} | {_allowed(field)} |\n"


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(code(choice) for choice in get_args(field.annotation))
    bounds = [(each, _BOUNDS.get(type(each).__name__)) for each in field.metadata]
    return ", ".join(f"{bound[1]} {getattr(each, bound[0]):g}" for each, bound in bounds if bound)
