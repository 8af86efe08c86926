"""SQL by name: ``sql/queries/<verb_object>.sql``.

Here: reading the files. Not here: SQL. Values enter as named parameters, ``%(batch_id)s``.
"""

from functools import cache
from pathlib import Path
from typing import LiteralString

from cinematch_assets.project_files import project_file

FOLDER = project_file("sql/queries")


@cache
def statement(name: str) -> LiteralString:
    """Return the text of ``sql/queries/<name>.sql``; it is the project's own, so it counts as literal."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def statement_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Every statement's name, in subfolders as ``folder/name``."""
    return tuple(sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.sql")))
