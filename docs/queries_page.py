"""The page ``docs/reference/queries.md``: every query that ``cinematch sql @name`` runs.

Here: the page. Not here: the queries and their comments (``sql/queries/analytics``).
"""

from pathlib import Path

from cinematch_assets.project_files import project_file

PAGE = Path(__file__).parent / "reference" / "queries.md"

_HEAD = """\
# Queries

<!-- Generated from `sql/queries/analytics/` by `python -m docs`, and compared by a test. -->

`cinematch sql @name` runs one of them, `--json` prints objects. They are read-only, as is every query of your own:
`cinematch sql "SELECT count(*) FROM ratings"`. Tables and columns: [the path of the data](../data-path.md).

| query | answers |
|---|---|
"""


def page() -> str:
    """The whole page, as Markdown."""
    parts = [(path.stem, *_split(path.read_text(encoding="utf-8"))) for path in queries()]
    rows = [f"| [{name}](#{name}) | {comment} |\n" for name, comment, _ in parts]
    return (
        _HEAD
        + "".join(rows)
        + "".join(f"\n## {name}\n\n{comment}\n\n```sql\n{text}\n```\n" for name, comment, text in parts)
    )


def queries() -> list[Path]:
    """The files, by name."""
    return sorted(project_file("sql/queries/analytics").glob("*.sql"))


def _split(text: str) -> tuple[str, str]:
    """The comment on top as one line, and the statement."""
    lines = text.strip().splitlines()
    count = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    return " ".join(line.removeprefix("--").strip() for line in lines[:count]), "\n".join(lines[count:])
