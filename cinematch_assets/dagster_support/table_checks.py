"""The checks of tables, from their declarations.

Here: facts about a table as outcomes of checks. Not here: rejecting rows, which comes before the write
(``reading.validation``), events (``asset_checks``), facts about a batch's drift (``drift_checks``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from cinematch_assets.dagster_support.asset_checks import Check, Outcome
from cinematch_assets.dagster_support.markdown import INLINE_CHARACTERS, command, plain, table
from cinematch_assets.limits import MAX_BATCH_AGE, MAX_STORAGE_SHARE
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.plurals import count
from cinematch_assets.schemas.movies_file import MOVIES_FILE
from cinematch_assets.schemas.netflix_movies import COLLECTION_FILE
from cinematch_assets.schemas.ratings_file import KNOWN_MOVIE, RATINGS_FILE
from cinematch_assets.schemas.table import Table

if TYPE_CHECKING:
    from cinematch_assets.pipeline.table_validation import RejectedRows

ROWS_FOR_A_TIGHT_SHARE = 1_000_000
ROWS_IN_A_LOG = 5
_RATING_REASONS = (*RATINGS_FILE.cell_reasons, f"movieId is not {KNOWN_MOVIE}", RATINGS_FILE.replaced_reason)


@dataclass(frozen=True, slots=True)
class _Files:
    """The files that a table's rows come from, and why a row of them can be rejected."""

    landed_as: str | None
    reasons: tuple[str, ...]


_FILES = {
    "movies": _Files("movies", (*MOVIES_FILE.cell_reasons, MOVIES_FILE.replaced_reason)),
    "ratings": _Files("ratings", _RATING_REASONS),
    "ratings_buffer": _Files("batches/{}", _RATING_REASONS),
    "netflix.movies": _Files(None, COLLECTION_FILE.cell_reasons),
}


def pandera_schema(declared: Table, schema: str = "public", *, merged_into: Table | None = None) -> Check:
    """Every row that the table holds satisfies its Pandera schema. Blocking; of a batch, its rows alone."""

    def evaluate(platform: Platform, batch: str | None) -> Outcome:
        from cinematch_assets.pipeline.table_validation import validate_table

        found = validate_table(platform, schema, declared, batch, merged_into=merged_into)
        metadata = {"rows": found.rows, "invalid_rows": found.invalid, **found.counts}
        if not found.invalid:
            where = f" of `{batch}`" if batch else ""
            rows = f"The only row{where} satisfies" if found.rows == 1 else f"All {found.rows:,} rows{where} satisfy"
            return Outcome(True, f"{rows} every rule.", metadata)
        broken = [f"{plain(rule)} ({number:,})" for rule, number in found.counts.items() if number]
        examples = [(_in_words(row.values), plain("; ".join(row.reasons))) for row in found.examples]
        rows = table(("row", "breaks"), examples)
        verb = "breaks" if found.invalid == 1 else "break"
        return Outcome(
            False,
            f"**{found.invalid:,} of {count(found.rows, 'row')} {verb} a rule:** {'; '.join(broken)}\n\n"
            "**Next:** the loader rejects such rows, so something else wrote them. Correct or delete them in the "
            f"table, then run this check alone.\n\n{rows}",
            metadata,
        )

    return Check(
        "pandera_schema", f"Each row of `{declared.name}` satisfies its Pandera schema.", evaluate, blocking=True
    )


def _in_words(values: Mapping[str, object]) -> str:
    return plain(", ".join(f"{name}={value}" for name, value in values.items()))


def rejected_rows(declared: Table) -> Check:
    """The newest file brought all its rows into the table; a count for each rule, 0 included."""

    def evaluate(platform: Platform, batch: str | None) -> Outcome:
        found = _find_rejected_rows(platform, declared, batch)
        return Outcome(found.rows == 0, _why_rejected(found), {"rejected_rows": found.rows, **found.counts})

    return Check(
        "rejected_rows",
        "Rows of the newest file that are in quarantine, by the rule they break, and what to do about them.",
        evaluate,
        severity=dg.AssetCheckSeverity.WARN,
    )


def _find_rejected_rows(platform: Platform, declared: Table, batch: str | None) -> "RejectedRows":
    from cinematch_assets.pipeline.table_validation import find_rejected_rows

    files = _FILES[declared.name]
    landed_as = None if files.landed_as is None else files.landed_as.format(batch)
    return find_rejected_rows(platform, declared, landed_as, files.reasons)


def rejected_metadata(platform: Platform, declared: Table, batch: str | None = None) -> dict[str, dg.MetadataValue]:
    """Say on the asset's page what ``rejected_rows`` says, with as many rows as are shown in place; {} if none was."""
    found = _find_rejected_rows(platform, declared, batch)
    if not found.rows:
        return {}
    texts = (_why_rejected(found, shown) for shown in range(len(found.examples), -1, -1))
    return {"rejected": dg.MetadataValue.md(next((text for text in texts if len(text) < INLINE_CHARACTERS), ""))}


def refusal_in_words(platform: Platform, declared: Table, batch: str | None = None) -> str:
    """Return what to do about the newest file, and its first rejected rows by number; their contents are in no log."""
    found = _find_rejected_rows(platform, declared, batch)
    rows = [f"row {row.row_number}: {'; '.join(row.reasons)}" for row in found.examples[:ROWS_IN_A_LOG]]
    step = (
        "correct the file and put it into the folder again. What its rejected rows hold is in the check rejected_rows "
        f"of {declared.name}, all of them in `cinematch rejects list`."
    )
    return "\n".join([step, *rows])


def _why_rejected(found: "RejectedRows", shown: int | None = None) -> str:
    path = found.file.path if found.file else None
    name = f" of {plain(path)}" if path else ""
    refused = found.file is not None and found.file.state == "refused"
    note = plain((found.file.note or "") if found.file else "", 400)
    summary = f"**The file was refused:** {note}" if refused else ""
    if found.rows == 0:
        return summary or f"No row{name} was rejected."
    reasons = "; ".join(f"{plain(reason)} ({count:,})" for reason, count in found.counts.items() if count)
    examples = found.examples[:shown]
    rows = table(
        ("file" if path is None else "row", "text", "reasons"),
        [
            (
                f"{plain(row.path)}, {row.row_number}" if path is None else row.row_number,
                plain(row.raw_row),
                plain("; ".join(row.reasons), 200),
            )
            for row in examples
        ],
    )
    more = f"\n\nand {found.rows - len(examples):,} more" if found.rows > len(examples) else ""
    were = f"1 row{name} was" if found.rows == 1 else f"{found.rows:,} rows{name} were"
    summary = summary or f"**{were} rejected:** {reasons}"
    # What to do comes before the rows: the page of a check cuts long texts.
    return f"{summary}\n\n**Next:** {_next_step(path, refused=refused)}\n\n{rows}{more}"


def _next_step(path: str | None, *, refused: bool) -> str:
    if path is None:
        return "correct the files in the folder; the next run reads them again."
    again = "correct the file and put it into the folder again"
    if refused:
        return f"{again}. Nothing of this content is in the table; rows of an earlier one stay."
    release = command("cinematch", "rejects", "release", "--path", path)
    return (
        f"{again}; or {release} once the rows are valid (say, because their movies have arrived), "
        "with `--correct` for a single one."
    )


def structure(declared: Table, schema: str = "public") -> Check:
    """The table in the database has the declared columns and types."""

    def evaluate(platform: Platform, _: str | None) -> Outcome:
        from cinematch_assets.warehouse.inspection import column_differences

        differences = platform.warehouse.run(column_differences, schema, declared)
        text = "; ".join(map(plain, differences))
        return Outcome(
            not differences,
            f"**{text}.** Next: run `cinematch migrate`."
            if differences
            else "Each declared column is there, with its type.",
            {"columns": len(declared.columns), "differences": len(differences)},
        )

    return Check("structure", f"`{declared.name}` has the declared columns and types.", evaluate)


def referential_integrity(declared: Table) -> Check:
    """Every rating's movie is in the catalogue; the database does not enforce it."""

    def evaluate(platform: Platform, batch: str | None) -> Outcome:
        from cinematch_assets.warehouse.inspection import count_orphans

        orphans = platform.warehouse.run(count_orphans, batch)
        # The rows of a merged batch are in ratings.
        number = orphans.ratings if declared.name == "ratings" else orphans.buffer + (orphans.ratings if batch else 0)
        text = "Every rating's movie is in the catalogue."
        if number:
            ratings = "1 rating is of a movie" if number == 1 else f"{number:,} ratings are of movies"
            text = f"**{ratings} that the catalogue lacks.** Next: drop a complete `movies` file."
        return Outcome(number == 0, text, {"ratings_without_movie": number})

    return Check("referential_integrity", "Every rating's movie is in `movies`.", evaluate)


def each_movie_once() -> Check:
    """No movie of the collection is there twice; empty ratings and years count as equal."""

    def evaluate(platform: Platform, _: str | None) -> Outcome:
        from cinematch_assets.warehouse.netflix import count_collection_duplicates

        number = platform.warehouse.run(count_collection_duplicates)
        text = "No movie is there twice."
        if number:
            rows = "1 row repeats" if number == 1 else f"{number:,} rows repeat"
            text = f"**{rows} title, genre, rating and year of another.**"
        return Outcome(number == 0, text, {"rows_too_many": number})

    return Check("each_movie_once", "No title, genre, rating and year come twice.", evaluate)


def split_share() -> Check:
    """The test share is 30 %, within 0.2 points at 1M rows and wider by the square root for fewer.

    A hash draws each row independently: 0.2 points are 4.4 standard deviations at 1M rows, and 4.4 standard deviations
    are allowed at any size.
    """

    def evaluate(platform: Platform, _: str | None) -> Outcome:
        from cinematch_assets.splitting import TEST_SHARE
        from cinematch_assets.warehouse.inspection import read_split_counts

        splits = {split.name: split.rows for split in platform.warehouse.run(read_split_counts)}
        rows, test = sum(splits.values()), splits.get("test", 0)
        share = test / rows if rows else TEST_SHARE
        allowed = 0.002 * max(1.0, (ROWS_FOR_A_TIGHT_SHARE / max(rows, 1)) ** 0.5)
        passed = abs(share - TEST_SHARE) <= allowed
        text = f"{share:.2%} of the file's {rows:,} rows are test; {TEST_SHARE:.0%} ± {allowed:.2%} are expected."
        return Outcome(
            passed,
            text if passed else f"**{text}** Next: materialize `ratings` from a file that was not split before.",
            {"test_share": share, "allowed_difference": allowed, "rows": rows},
        )

    return Check("split_share", "30 % of the file's rows are test, as a hash of user and movie decides.", evaluate)


def storage_budget() -> Check:
    """The database uses at most 85 % of its budget; above, it warns while there is time to act."""

    def evaluate(platform: Platform, _: str | None) -> Outcome:
        from cinematch_assets.warehouse.table_sizes import read_database_mb

        budget_mb = platform.settings.storage_budget_mb
        used_mb = platform.warehouse.run(read_database_mb)
        passed = used_mb <= MAX_STORAGE_SHARE * budget_mb
        text = f"{used_mb:,.0f} of {budget_mb:,} MB are used ({used_mb / budget_mb:.0%})"
        return Outcome(
            passed,
            f"{text}." if passed else f"**{text}.** Next: run `maintain`, then remove batches or raise the budget.",
            {"used_mb": used_mb, "budget_mb": budget_mb, "share": used_mb / budget_mb},
        )

    return Check(
        "storage_budget",
        f"The warehouse uses at most {MAX_STORAGE_SHARE:.0%} of its budget.",
        evaluate,
        severity=dg.AssetCheckSeverity.WARN,
    )


def newest_batch() -> Check:
    """The newest batch came at most eight days ago, by when its first content was landed."""

    def evaluate(platform: Platform, _: str | None) -> Outcome:
        from cinematch_assets.warehouse.landed_files import find_newest_batch

        newest = platform.warehouse.run(find_newest_batch)
        if newest is None:
            return Outcome(True, "No batch has come yet.")
        text = f"The newest batch, `{newest.batch_id}`, is {newest.age_days:.1f} days old"
        passed = timedelta(days=newest.age_days) <= MAX_BATCH_AGE
        next_step = "see whether the folder has a newer file, and `cinematch status` why it is not loaded."
        return Outcome(
            passed,
            f"{text}." if passed else f"**{text}; one is expected each week.** Next: {next_step}",
            {"age_days": newest.age_days, "most_days": MAX_BATCH_AGE.days},
        )

    return Check(
        "newest_batch",
        f"The newest batch came at most {MAX_BATCH_AGE.days} days ago; loading an old one again does not count.",
        evaluate,
        severity=dg.AssetCheckSeverity.WARN,
    )
