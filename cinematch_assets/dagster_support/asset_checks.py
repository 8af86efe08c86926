"""Check results that certify tables after they are written.

Here: facts about a table as results of asset checks. Not here: rejecting rows, which comes before the write
(``reading.validation``).
"""

from collections.abc import Sequence

import dagster as dg

from cinematch_assets.schemas.table import Table
from cinematch_assets.splitting import TEST_SHARE
from cinematch_assets.warehouse.inspection import SplitCount, column_differences
from cinematch_assets.warehouse.table_sizes import read_database_mb
from cinematch_assets.warehouse.warehouse import Warehouse

ROWS_FOR_A_TIGHT_SHARE = 1_000_000
WARN_SHARE = 0.85


def schema_check(warehouse: Warehouse, schema: str, table: Table) -> dg.AssetCheckResult:
    """The table in the database has the declared columns and types."""
    differences = warehouse.run(column_differences, schema, table)
    return dg.AssetCheckResult(
        check_name="schema",
        passed=not differences,
        description="; ".join(differences) or "every declared column is there, with its type",
        metadata={"columns": len(table.columns)},
    )


def referential_integrity(orphans: int) -> dg.AssetCheckResult:
    """Every rating's movie is in the catalogue; the database does not enforce it."""
    return dg.AssetCheckResult(
        check_name="referential_integrity", passed=orphans == 0, metadata={"ratings_without_movie": orphans}
    )


def each_movie_once(duplicates: int) -> dg.AssetCheckResult:
    """No movie of the collection is there twice; empty ratings and years count as equal."""
    return dg.AssetCheckResult(
        check_name="each_movie_once", passed=duplicates == 0, metadata={"rows_too_many": duplicates}
    )


def split_check(splits: Sequence[SplitCount]) -> dg.AssetCheckResult:
    """The test share is 30 %, within 0.2 points at 1M rows and wider by the square root for fewer.

    A hash draws each row independently: 0.2 points are 4.4 standard deviations at 1M rows, and 4.4 standard deviations
    are allowed at any size.
    """
    rows = sum(split.rows for split in splits)
    test = sum(split.rows for split in splits if split.name == "test")
    share = test / rows if rows else TEST_SHARE
    allowed = 0.002 * max(1.0, (ROWS_FOR_A_TIGHT_SHARE / max(rows, 1)) ** 0.5)
    return dg.AssetCheckResult(
        check_name="split_share",
        passed=abs(share - TEST_SHARE) <= allowed,
        metadata={"test_share": round(share, 5), "allowed_difference": round(allowed, 5), "rows": rows},
    )


def storage_check(warehouse: Warehouse, budget_mb: int) -> dg.AssetCheckResult:
    """The database uses at most 85 % of its budget; above, it warns while there is time to act."""
    used = warehouse.run(read_database_mb)
    return dg.AssetCheckResult(
        check_name="storage_budget",
        passed=used <= WARN_SHARE * budget_mb,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"used_mb": round(used, 1), "budget_mb": budget_mb, "share": round(used / budget_mb, 3)},
    )
