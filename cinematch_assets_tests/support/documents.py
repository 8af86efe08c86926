"""The SQL of the two documents that the schema comes from, as they stand there.

Here: reading the copies beside this file. Not here: what is claimed of them.
"""

import os
import re
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REFERENCE = "schema_reference.md"
LIBRARY = "movie_library.md"


def blocks(text: str) -> list[str]:
    """The SQL between Markdown's fences, in its order."""
    return re.findall(r"```sql\n(.*?)```", text, re.DOTALL)


def document(name: str) -> list[str]:
    """The blocks of one of our copies."""
    return blocks((HERE / name).read_text(encoding="utf-8"))


def statements() -> list[str]:
    """Every statement of the schema reference, with the comments before it."""
    parts = [part.strip() for block in document(REFERENCE) for part in re.split(r";(?:[ ]*--[^\n]*)?", block)]
    return [part for part in parts if plain(part)]


def definitions() -> list[str]:
    """The statements that make tables and indexes; the archive's ``CREATE TABLE … AS`` is not one of them."""
    made = [s for s in statements() if plain(s).startswith(("create table", "create index"))]
    return [s for s in made if " as select" not in plain(s)]


def questions() -> list[str]:
    """The statements that only read."""
    return [s for s in statements() if plain(s).startswith(("select", "with"))]


def plain(statement: str) -> str:
    """A statement without comments, case, white space and symbols that two spellings of it may differ in."""
    text = re.sub(r"--[^\n]*", "", statement).encode("ascii", "ignore").decode()
    return re.sub(r"\s+", " ", text).strip().rstrip(";").strip().lower()


def originals() -> Path | None:
    """The folder of the documents themselves, where there is one."""
    folder = Path(os.environ.get("CINEMATCH_TEST_SEEDS", ROOT.parent / "shared" / "seeds"))
    return folder if folder.is_dir() else None
