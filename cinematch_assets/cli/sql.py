"""``cinematch sql``: one read-only query.

Here: arguments and output. Not here: the read-only connection (``warehouse.readonly_query``).
"""

from typing import Annotated

import typer

from cinematch_assets.cli.options import Json
from cinematch_assets.cli.output import out, print_json, print_table


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; or @name, a query of sql/queries/analytics.")],
    json: Json = False,
) -> None:
    """Run one read-only query on the warehouse, as role analyst."""
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.readonly_query import read_shipped_query

    if query.startswith("@"):
        query = read_shipped_query(query[1:])
    columns, rows = Platform.open().warehouse.ask(query)
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    if columns:
        print_table("", columns, rows)
    out.print(f"{len(rows):,} rows")
