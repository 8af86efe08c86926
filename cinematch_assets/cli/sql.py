"""``cinematch sql``: one read-only query.

Here: arguments and output. Not here: the read-only connection (``warehouse.readonly_query``).
"""

from typing import Annotated

import typer

from cinematch_assets.cli.options import Json
from cinematch_assets.cli.output import out, print_json, print_table
from cinematch_assets.errors import CinematchError
from cinematch_assets.settings import Settings


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; or @name, a query of sql/queries/analytics.")],
    json: Json = False,
) -> None:
    """Run one read-only query on the warehouse, as role analyst."""
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.readonly_query import ask
    from cinematch_assets.warehouse.statements import statement, statement_names

    platform = Platform.open()
    if query.startswith("@"):
        name = f"analytics/{query[1:]}"
        if name not in statement_names():
            shipped = [each.removeprefix("analytics/") for each in statement_names() if each.startswith("analytics/")]
            raise CinematchError(f"no query @{query[1:]}; there are {', '.join(shipped)}")
        query = statement(name)
    columns, rows = ask(platform.warehouse.url, query, embedded=Settings.from_env().warehouse_url is None)
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    if columns:
        print_table("", columns, rows)
    out.print(f"{len(rows):,} rows", highlight=False)
