"""Read-only queries in tests.

Here: asking one and reading all of its answer. Not here: their limits.
"""

from typing import Any

from cinematch_assets.warehouse.readonly_query import open_answer


def ask(url: str, query: str, *, embedded: bool = False) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return the names of the columns, and the rows, of an answer that is not cut."""
    with open_answer(url, query, embedded=embedded) as answer:
        rows = list(answer.rows)
    assert answer.cut is None
    return answer.columns, rows
