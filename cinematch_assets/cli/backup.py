"""``cinematch backup`` and ``cinematch restore``: the database and the store in another place, and back.

Here: arguments and output. Not here: what a backup is (``pipeline.backups``).
"""

from typing import TYPE_CHECKING, Annotated

import typer

from cinematch_assets.cli.options import Json, Reason
from cinematch_assets.cli.output import err, out, print_json
from cinematch_assets.plurals import count
from cinematch_assets.settings import Settings

if TYPE_CHECKING:
    from cinematch_assets.pipeline.backups import Backup


def backup(
    target: Annotated[str, typer.Argument(help="A folder or s3://bucket/prefix, not the platform's own store.")],
    keep: Annotated[int, typer.Option(min=1, help="Backups that stay there.")] = 8,
    check: Annotated[bool, typer.Option("--check", help="Then restore it into a scratch server, to try it.")] = False,
    json: Json = False,
) -> None:
    """Copy the database and the store; what the target has already is not copied again.

    Example: cinematch backup /mnt/backups/cinematch --check
    """
    from cinematch_assets.pipeline.backups import back_up, try_restore
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.storage.opening import open_store

    platform = Platform.open()
    there = open_store(target, scratch=platform.settings.home.resolve() / "staging")
    made = back_up(platform, there, keep=keep)
    if check:
        try_restore(platform.settings.home, there, made.name)
    if json:
        print_json(made.as_metadata() | {"restored": check})
        return
    out.print(f"backup {made.name}: {_what(made)}; {made.copied_bytes / 2**20:,.1f} MB copied")
    if check:
        out.print("restored into a scratch server: equal rows, all objects, a champion that loads")


def restore(
    source: Annotated[str, typer.Argument(help="Where cinematch backup has written to.")],
    name: Annotated[str | None, typer.Option(help="Which one; by default the newest.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only try it, in a scratch server that is deleted again.")
    ] = False,
    reason: Reason = None,
    json: Json = False,
) -> None:
    """Restore a backup into an empty database and an empty store; sign in as who will own the tables.

    Example: cinematch restore /mnt/backups/cinematch --check
    """
    from cinematch_assets.actor import Actor
    from cinematch_assets.dagster_support.change_events import ChangedAsset, show_changes
    from cinematch_assets.dagster_support.row_counts import TABLES
    from cinematch_assets.pipeline import backups
    from cinematch_assets.pipeline.platform import Platform
    from cinematch_assets.storage.opening import open_store

    settings = Settings.from_env()
    there = open_store(source, scratch=settings.home.resolve() / "staging")
    if check:
        done = backups.try_restore(settings.home, there, name)
    else:
        actor = Actor.of_process(settings.actor)
        done = backups.restore(settings, there, name, actor=actor, reason=reason or "restored by hand")
        what = f"restored from backup {done.name}"
        show_changes(Platform.open(settings), [ChangedAsset(table, what) for table in TABLES], reason)
    for warning in done.warnings:
        err.print(f"warning: {warning}")
    if json:
        print_json(done.as_metadata())
        return
    where = "a scratch server, which is deleted again" if check else "the database and the store"
    out.print(f"backup {done.name} restored into {where}: {_what(done)}; rows equal to the dumped ones")


def _what(backup: "Backup") -> str:
    champion = f"champion {backup.champion}" if backup.champion else "no champion"
    return (
        f"{count(backup.rows, 'row')} of {count(backup.tables, 'table')}, {count(backup.objects, 'object')}, "
        f"{backup.bytes / 2**20:,.1f} MB, {champion}"
    )
