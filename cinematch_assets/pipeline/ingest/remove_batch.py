"""Take a batch out of the tables, and load it again when it is asked for.

Here: the two acts of a person. Not here: the transaction (``warehouse.batch_removal``), reading a file
(``load_tables``).
"""

from cinematch_assets.pipeline.ingest.load_tables import TableLoad, load_batch_content
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.batch_removal import (
    Dependents,
    NoSuchBatchError,
    find_removed_content,
    read_dependents,
)
from cinematch_assets.warehouse.batch_removal import remove_batch as remove_rows
from cinematch_assets.warehouse.batches import BatchLoad, read_stored_batch
from cinematch_assets.warehouse.suppressed_users import count_suppressed_users


def find_dependents(platform: Platform, batch_id: str) -> Dependents:
    """Return what was made with a batch's rows.

    Raises:
        NoSuchBatchError: it has no rows in the tables.
    """
    return platform.warehouse.run(read_dependents, batch_id)


def remove_batch(platform: Platform, batch_id: str, reason: str | None) -> int:
    """Remove a batch's rows; return how many. Its content is not loaded again until it is restored.

    Raises:
        NoSuchBatchError: it has no rows in the tables.
    """
    return platform.warehouse.run(remove_rows, batch_id, reason or "removed by hand", platform.actor)


def restore_batch(platform: Platform, batch_id: str, reason: str | None) -> TableLoad[BatchLoad]:
    """Load the content again that was removed last, from the store, into the buffer; it is assessed anew.

    Raises:
        NoSuchBatchError: none was removed, or the batch has another content by now.
    """
    with platform.warehouse.session() as session:
        suppressed = session.run(count_suppressed_users)
        file = session.run(find_removed_content, batch_id)
        stored = session.run(read_stored_batch, batch_id)
    if stored is not None and stored.place != "deleted":
        raise NoSuchBatchError(
            f"{batch_id} has another content in the tables by now: remove that first with cinematch batches remove"
        )
    return load_batch_content(platform, batch_id, file, suppressed, restored=reason or "restored by hand")
