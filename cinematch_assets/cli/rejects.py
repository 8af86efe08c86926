"""``cinematch rejects list | release``: the quarantine.

Here: arguments and output. Not here: reading rows again (``reading.released``), the quarantine
(``warehouse.rejected_rows``).
"""

from typing import Annotated

import typer

from cinematch_assets.cli.options import MAX_ID, HowManyRows, Json, Reason
from cinematch_assets.cli.output import out, print_json, print_table
from cinematch_assets.plurals import count

app = typer.Typer(help="Rejected rows: list them, and release those that are valid now.", no_args_is_help=True)


@app.command("list")
def list_rows(
    path: Annotated[str | None, typer.Argument(help="A file, such as ratings.csv; by default all files.")] = None,
    limit: HowManyRows = 20,
    json: Json = False,
) -> None:
    """List rejected rows with their reasons, the newest file first.

    Example: cinematch rejects list batches/batch_w1.csv --limit 50
    """
    from dataclasses import asdict

    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.rejected_rows import read_rejected_rows

    rows = Platform.open().warehouse.run(read_rejected_rows, path=path, limit=limit)
    if json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        "Quarantine",
        ("id", "path", "row", "raw row", "reasons"),
        [(str(row.id), row.path, row.row_number, row.raw_row, "; ".join(row.reasons)) for row in rows],
    )


@app.command()
def release(
    ids: Annotated[
        list[int] | None,
        typer.Argument(min=1, max=MAX_ID, help="Ids from `rejects list`; use --path for all rows of a file."),
    ] = None,
    path: Annotated[str | None, typer.Option(help="Every rejected row of this file.")] = None,
    correct: Annotated[
        str | None, typer.Option(help="With one id: the corrected row, in the file's own columns.")
    ] = None,
    reason: Reason = None,
) -> None:
    """Validate rejected rows again and load those that are valid now; ends with 1 when none is.

    Example: cinematch rejects release 17 --correct "1,318,4.5,880000000" --reason "a typing error"
    """
    from cinematch_assets.dagster_support.change_events import ChangedAsset, show_changes
    from cinematch_assets.pipeline.ingest.release_rejects import release_rows
    from cinematch_assets.pipeline.platform import Platform

    platform = Platform.open()
    done = release_rows(platform, ids or [], path=path, correction=correct, reason=reason)
    out.print(f"{count(done.released, 'row')} released, {done.kept:,} still rejected")
    for rule, rows in done.reasons.items():
        out.print(f"• {rule}: {rows:,}")
    if not done.released:
        raise typer.Exit(1)
    changes = [
        ChangedAsset(table, f"{count(rows, 'rejected row')} released", batch)
        for (table, batch), rows in done.released_into.items()
    ]
    show_changes(platform, changes, reason)
