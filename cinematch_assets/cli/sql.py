"""``cinematch sql``: one read-only query.

Here: arguments and output. Not here: the read-only connection and its limits (``warehouse.readonly_query``).
"""

from typing import Annotated

import typer

from cinematch_assets.cli.options import MAX_ROWS, Json
from cinematch_assets.cli.output import err, out, print_json_lines, print_json_rows, print_table
from cinematch_assets.errors import CinematchError
from cinematch_assets.plurals import count


class AnswerCutError(CinematchError):
    """A program gets fewer rows than it asked for."""


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; or @name, a query of sql/queries/analytics.")],
    json: Json = False,
    lines: Annotated[bool, typer.Option("--lines", help="Print a JSON object per line, and no array.")] = False,
    max_rows: Annotated[int, typer.Option(min=1, max=MAX_ROWS, help="Rows after which the answer is cut.")] = 10_000,
) -> None:
    """Run one read-only query on the warehouse, as role analyst; JSON is printed while rows arrive.

    Example: cinematch sql "SELECT count(*) FROM ratings" --json
    """
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.readonly_query import read_shipped_query

    if query.startswith("@"):
        query = read_shipped_query(query[1:])
    with Platform.open().warehouse.open_answer(query, max_rows=max_rows) as answer:
        if answer.note:
            err.print(f"note: {answer.note}")
        if json or lines:
            objects = (dict(zip(answer.columns, row, strict=True)) for row in answer.rows)
            (print_json_lines if lines else print_json_rows)(objects)
            if answer.cut:
                raise AnswerCutError(answer.cut)
            return
        rows = list(answer.rows)
    if answer.columns:
        print_table("", answer.columns, rows)
    out.print(f"{count(len(rows), 'row')}{f'; {answer.cut}' if answer.cut else ''}")
