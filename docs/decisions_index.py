"""The page ``docs/decisions/README.md``: every decision by its title.

Here: the list. Not here: the titles, which are the pages' own first lines.
"""

from pathlib import Path

PAGE = Path(__file__).with_name("decisions") / "README.md"

_HEAD = """\
# Decisions

<!-- Generated from the pages' titles by `python -m docs`, and compared by a test. -->

Why it is so, a page each: what was decided, why, what the other ways were, and what follows. A page is not rewritten
when a decision changes; a new one says what it replaces.

| page | decision |
|---|---|
"""


def page() -> str:
    """The whole page, as Markdown; a decision's title reads ``# 4. Runs and their tags …``."""
    lines = []
    for path in sorted(PAGE.parent.glob("[0-9]*.md")):
        number, _, title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").partition(". ")
        lines.append(f"| [{number}]({path.name}) | {title} |\n")
    return _HEAD + "".join(lines)
