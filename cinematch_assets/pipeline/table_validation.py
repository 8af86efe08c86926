"""Certify the rows that a table holds, and collect what its newest file could not bring into it.

Here: a table against its Pandera schema, block by block; the rejected rows of the newest content. Not here: the rules
(``schemas``), rejecting rows while a file is read (``reading.validation``), how the result is shown
(``dagster_support.table_checks``).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.table import Table
from cinematch_assets.warehouse.batches import read_stored_batch
from cinematch_assets.warehouse.landed_files import LandedFile, NothingLandedError, find_newest_landed
from cinematch_assets.warehouse.rejected_rows import (
    FirstRejectedRow,
    count_rejected_reasons,
    read_first_rejected_rows,
)

MAX_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row of a table that breaks a rule: its key and the columns at fault, with the reasons."""

    values: dict[str, object]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableValidation:
    """The rows of a table that were validated, how many break each rule, and the first that do."""

    rows: int
    invalid: int
    counts: dict[str, int]
    examples: tuple[InvalidRow, ...]


@dataclass(frozen=True, slots=True)
class RejectedRows:
    """What the newest content of a table could not bring into it; ``file`` is None for a table of many files."""

    file: LandedFile | None
    rows: int
    counts: dict[str, int]
    examples: tuple[FirstRejectedRow, ...]


def validate_table(
    platform: Platform, schema: str, table: Table, batch_id: str | None = None, *, merged_into: Table | None = None
) -> TableValidation:
    """Validate every row that the table holds, or those of one batch, by the table's Pandera schema.

    Uniqueness is not validated here: Postgres enforces it.

    Args:
        platform: where the table is.
        schema: of the table in the database.
        table: its declaration.
        batch_id: only the rows of this batch.
        merged_into: the table, in the same schema, that has the rows of a batch once it is merged.
    """
    if batch_id is not None and merged_into is not None:
        stored = platform.warehouse.run(read_stored_batch, batch_id)
        if stored is not None and stored.place == "merged":
            table = merged_into
    rows, invalid, counts, examples = 0, 0, Counter[str](), list[InvalidRow]()
    for block, reasons in _validated_blocks(platform, schema, table, batch_id):
        rows += len(block)
        invalid += len(reasons)
        counts.update(reason for of_row in reasons.values() for reason in of_row)
        for position in list(reasons)[: MAX_EXAMPLES - len(examples)]:
            examples.append(_example(table, block.iloc[position], reasons[position]))
    return TableValidation(rows, invalid, {reason: counts[reason] for reason in table.reasons}, tuple(examples))


def _validated_blocks(
    platform: Platform, schema: str, table: Table, batch_id: str | None
) -> Iterator[tuple[pd.DataFrame, dict[int, list[str]]]]:
    from cinematch_assets.reading.validation import find_invalid_rows  # noqa: PLC0415 - imports pandera
    from cinematch_assets.schemas.pandera_schema import typed_schema  # noqa: PLC0415

    pandera_schema = typed_schema(table, is_complete=False)
    for block in platform.warehouse.read_table_blocks(schema, table, batch_id):
        yield block, find_invalid_rows(table, block, pandera_schema)


def _example(table: Table, row: pd.Series, reasons: list[str]) -> InvalidRow:
    at_fault = {reason.partition(" ")[0] for reason in reasons}
    shown = [name for name in table.column_names if name in table.key or name in at_fault]
    return InvalidRow({name: row[name] for name in shown}, tuple(reasons))


def find_rejected_rows(platform: Platform, table: Table, landed_as: str | None, known: tuple[str, ...]) -> RejectedRows:
    """Return the rejected rows of the content that was landed last, with a count for each known reason, 0 included.

    Args:
        platform: where the quarantine is.
        table: the table they were meant for.
        landed_as: ``movies``, ``ratings`` or ``batches/<batch_id>``; None for all rows of the table's many files.
        known: reasons that are counted even where no row has them.
    """
    with platform.warehouse.session() as session:
        file = None
        if landed_as is not None:
            try:
                file = session.run(find_newest_landed, landed_as)
            except NothingLandedError:
                return RejectedRows(None, 0, dict.fromkeys(known, 0), ())
        content = None if file is None else file.content
        found = session.run(count_rejected_reasons, table.name, content)
        examples = session.run(read_first_rejected_rows, table.name, content, limit=MAX_EXAMPLES)
    rows = examples[0].rows if examples else 0
    return RejectedRows(file, rows, {**dict.fromkeys(known, 0), **found}, tuple(examples))
