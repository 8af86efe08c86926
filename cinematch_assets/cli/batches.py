"""``cinematch batches list | remove | restore``: the batches, and taking one out of the tables.

Here: arguments, output, the question. Not here: what is done (``pipeline.ingest.remove_batch``).
"""

from typing import TYPE_CHECKING, Annotated

import typer

from cinematch_assets.cli.options import Json, Reason
from cinematch_assets.cli.output import err, notes, out, print_folded, print_json, print_table
from cinematch_assets.errors import CinematchError
from cinematch_assets.plurals import count

if TYPE_CHECKING:
    from cinematch_assets.warehouse.batch_removal import Dependents

app = typer.Typer(help="Batches: list them, remove one, load a removed one again.", no_args_is_help=True)
BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="Its id, such as batch_w2.")]


@app.command("list")
def list_batches(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20, json: Json = False
) -> None:
    """List batches with their rows, where these are, and the decision to retrain, the newest first.

    Example: cinematch batches list --limit 50
    """
    from dataclasses import asdict
    from datetime import UTC

    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.warehouse.monitoring import list_arrivals

    found = Platform.open().warehouse.run(list_arrivals)
    if json:
        print_json([asdict(each) for each in found])
        return
    print_table(
        "Batches" if len(found) <= limit else f"Batches; the newest {limit} of {len(found):,}",
        ("batch", "arrived", "read", "accepted", "rejected", "place", "decision"),
        [
            (
                each.batch_id,
                f"{each.arrived_at.astimezone(UTC):%Y-%m-%d}",
                each.rows_read,
                each.rows_accepted,
                each.rows_rejected,
                each.state if each.state == "refused" else each.place or each.state,
                (each.decision or "").replace("_", " "),
            )
            for each in found[:limit]
        ],
    )


@app.command()
def remove(
    batch: BatchId,
    reason: Reason = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what depends on it, and change nothing.")] = False,
) -> None:
    """Take a batch out of the tables, after saying what depends on it; its file is not loaded again by itself.

    Example: cinematch batches remove batch_w2 --reason "a test file of the source" --yes
    """
    from cinematch_assets.dagster_support.change_events import ChangedAsset, show_changes
    from cinematch_assets.pipeline.ingest.remove_batch import find_dependents, remove_batch
    from cinematch_assets.pipeline.platform import Platform

    platform = Platform.open()
    found = find_dependents(platform, batch)
    _print_dependents(batch, found)
    if dry_run:
        return
    if not yes:
        if not err.is_terminal:
            raise CinematchError(f"nothing was removed: say --yes to remove {batch}")
        typer.confirm(f"Remove {batch}?", abort=True, err=True)
    rows = remove_batch(platform, batch, reason)
    out.print(f"{batch} is removed: {count(rows, 'rating')}. cinematch batches restore {batch} loads it again.")
    changes = [ChangedAsset("ratings_buffer", f"{count(rows, 'rating')} removed", batch)]
    if found.place == "merged":
        changes.append(ChangedAsset("ratings", f"{count(rows, 'rating')} of {batch} removed"))
    show_changes(platform, changes, reason)


@app.command()
def restore(batch: BatchId, reason: Reason = None) -> None:
    """Load a removed batch again, from the store, into the buffer; it is assessed and trained on like a new one.

    Example: cinematch batches restore batch_w2 --reason "it was right after all"
    """
    from cinematch_assets.dagster_support.change_events import ChangedAsset, show_changes
    from cinematch_assets.pipeline.ingest.remove_batch import restore_batch
    from cinematch_assets.pipeline.platform import Platform

    platform = Platform.open()
    done = restore_batch(platform, batch, reason)
    out.print(f"{batch} is in the buffer again: {count(done.counts.accepted, 'rating')}")
    notes.print("drive_sensor assesses it; by hand: materialize drift_report for it")
    what = f"{count(done.counts.accepted, 'rating')} restored"
    show_changes(platform, [ChangedAsset("ratings_buffer", what, batch)], reason)


def _print_dependents(batch: str, found: "Dependents") -> None:
    place = f"merged into ratings by {found.merged_by}" if found.place == "merged" else "in the buffer"
    out.print(f"{batch}: {count(found.rows, 'rating')} of {count(found.users, 'user')}, {place}", style="bold")
    if found.versions:
        named = ", ".join(f"{each} (champion)" if each == found.champion else each for each in found.versions)
        goes_on = "; it goes on serving what it learned until the next retraining" if found.is_known_to_champion else ""
        print_folded(f"• learned from it: {named}{goes_on}")
    else:
        out.print("• no model learned from it")
    if found.users_with_lists:
        print_folded(f"• {count(found.users_with_lists, 'user')} of it have recommendations: they stay as they are")
    if found.drift_scores:
        decided = f" and its decision ({found.decision.replace('_', ' ')})" if found.decision else ""
        print_folded(f"• {count(found.drift_scores, 'drift score')}{decided} stay as history")
    print_folded("• its landed file stays in the store; the file in the folder may stay, it is not loaded again")
