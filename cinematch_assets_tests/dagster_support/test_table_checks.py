"""Each check of a table, passing and failing, on a real table."""

import dagster as dg
import pytest

from cinematch_assets.dagster_support.asset_checks import Check
from cinematch_assets.dagster_support.markdown import INLINE_CHARACTERS
from cinematch_assets.dagster_support.table_checks import (
    each_movie_once,
    newest_batch,
    pandera_schema,
    referential_integrity,
    refusal_in_words,
    rejected_metadata,
    rejected_rows,
    split_share,
    storage_budget,
    structure,
)
from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.movie_genre_features import MOVIE_GENRE_FEATURES
from cinematch_assets.schemas.movies import MOVIES
from cinematch_assets.schemas.netflix_movies import NETFLIX_MOVIES
from cinematch_assets.schemas.ratings import RATINGS
from cinematch_assets.schemas.ratings_buffer import RATINGS_BUFFER
from cinematch_assets_tests.support.platforms import MOVIES as MOVIES_HEADER
from cinematch_assets_tests.support.platforms import RATINGS as RATINGS_HEADER
from cinematch_assets_tests.support.platforms import insert_movies, load_table, make_platform

GOOD = "".join(f"{user},10,4.0,1000000000\n" for user in range(1, 101))


def execute(platform: Platform, order: str) -> None:
    with platform.warehouse.connect() as connection:
        connection.execute(order.encode())


@pytest.fixture
def platform(platform: Platform) -> Platform:
    load_table(platform, "movies", f"{MOVIES_HEADER}10,Heat (1995),Action\n")
    return platform


@pytest.mark.parametrize(
    ("check", "plant", "rule"),
    [
        (
            pandera_schema(RATINGS),
            "INSERT INTO ratings VALUES (7, 10, 3.3, 1000000000, 'train')",
            "rating is not in half steps",
        ),
        (
            pandera_schema(RATINGS),
            "INSERT INTO ratings VALUES (7, 10, 3.5, 1000000000000, 'train')",
            "timestamp is not a time from 1970 to 2099, in seconds",
        ),
        (pandera_schema(MOVIES), "INSERT INTO movies VALUES (11, '  ', NULL)", "title is empty"),
        (
            pandera_schema(MOVIE_GENRE_FEATURES),
            "UPDATE movies SET pca_features = '[1, 2]' WHERE movieId = 10",
            "pca_features is not a list of ten numbers",
        ),
        (
            pandera_schema(NETFLIX_MOVIES, "netflix"),
            "INSERT INTO netflix.movies (title, genre, rating, year) VALUES ('', 'Drama', 7.5, 1999)",
            "title is empty",
        ),
    ],
    ids=["half_steps", "milliseconds", "title", "features", "netflix"],
)
def test_the_schema_is_that_of_the_rows_in_the_table(platform: Platform, check: Check, plant: str, rule: str) -> None:
    assert check.blocking
    before = check.evaluate(platform, None)
    assert before.passed
    assert before.metadata[rule] == 0
    execute(platform, plant)
    after = check.evaluate(platform, None)
    assert not after.passed
    assert after.metadata[rule] == 1
    assert after.metadata["invalid_rows"] == 1


def test_a_null_where_none_is_allowed_is_named_even_if_the_table_has_lost_its_constraint(platform: Platform) -> None:
    execute(platform, "ALTER TABLE ratings ALTER userId DROP NOT NULL")
    execute(platform, "INSERT INTO ratings VALUES (NULL, 10, 3.5, 1000000000, 'train'), (1, 10, 3, 1, 'test')")
    outcome = pandera_schema(RATINGS).evaluate(platform, None)
    assert outcome.metadata["userId is missing"] == 1
    assert outcome.metadata["invalid_rows"] == 1


@pytest.mark.parametrize("merged", [False, True], ids=["buffer", "merged"])
def test_of_a_batch_its_own_rows_count_wherever_they_are(platform: Platform, merged: bool) -> None:
    for batch in ("batch_w1", "batch_w2"):
        load_table(platform, f"batches/{batch}", RATINGS_HEADER + GOOD)
    if merged:
        moved = "SELECT userId, movieId, rating, timestamp, 'train', now(), batch_id FROM ratings_buffer"
        execute(platform, f"INSERT INTO ratings {moved} WHERE batch_id = 'batch_w1'")
        execute(platform, "DELETE FROM ratings_buffer WHERE batch_id = 'batch_w1'")
        execute(platform, "UPDATE ops.batches SET place = 'merged' WHERE batch_id = 'batch_w1'")
    table = "ratings" if merged else "ratings_buffer"
    execute(platform, f"UPDATE {table} SET rating = 4.2 WHERE batch_id = 'batch_w1' AND userId = 3")
    check = pandera_schema(RATINGS_BUFFER, merged_into=RATINGS)
    bad, good = (check.evaluate(platform, batch) for batch in ("batch_w1", "batch_w2"))
    assert (bad.passed, bad.metadata["rows"], bad.metadata["invalid_rows"]) == (False, 100, 1)
    assert (good.passed, good.metadata["rows"]) == (True, 100)
    assert "userId&#61;3" in bad.description
    assert "rating&#61;4.2" in bad.description


def test_rejected_rows_are_counted_by_rule_in_a_clean_load_too(platform: Platform) -> None:
    check = rejected_rows(RATINGS)
    assert check.severity is dg.AssetCheckSeverity.WARN
    load_table(platform, "ratings", RATINGS_HEADER + GOOD)
    clean = check.evaluate(platform, None)
    assert clean.passed
    assert clean.metadata["rating is not in half steps"] == clean.metadata["userId is not a number"] == 0
    load_table(platform, "ratings", f"{RATINGS_HEADER}{GOOD}<b>1,10,4.0,1\n200,99,4.0,1\n")
    dirty = check.evaluate(platform, None)
    assert not dirty.passed
    assert dirty.metadata["rejected_rows"] == 2
    assert dirty.metadata["userId is not a number"] == dirty.metadata["movieId is not in the table of movies"] == 1
    assert set(clean.metadata) == set(dirty.metadata)
    assert "<b>" not in dirty.description
    assert "`cinematch rejects release --path ratings.csv`" in dirty.description


def test_a_refused_batch_says_why_and_what_to_do(platform: Platform) -> None:
    with pytest.raises(CinematchError):
        load_table(platform, "batches/batch_w1", f"{RATINGS_HEADER}1,10,9,1\n")
    outcome = rejected_rows(RATINGS_BUFFER).evaluate(platform, "batch_w1")
    assert not outcome.passed
    assert "was refused" in outcome.description
    assert "rating is not from 0.5 to 5.0" in outcome.description.replace("&#45;", "-")
    assert "correct the file" in outcome.description
    assert rejected_rows(RATINGS_BUFFER).evaluate(platform, "batch_w2").passed


def test_pages_and_logs_say_why_rows_were_rejected_but_no_log_what_is_in_them(platform: Platform) -> None:
    """Sixty rows of three hundred characters: as many are on the page as Dagster shows in place."""
    rows = "".join(f"1,10,9.5{'0' * 300},{number}\n" for number in range(60))
    with pytest.raises(CinematchError):
        load_table(platform, "batches/batch_w1", f"{RATINGS_HEADER}{rows}")
    (text,) = rejected_metadata(platform, RATINGS_BUFFER, "batch_w1").values()
    assert isinstance(text, dg.MarkdownMetadataValue)
    shown = text.md_str or ""
    assert 500 < len(shown) < INLINE_CHARACTERS
    assert shown.startswith("**The file was refused:**")
    assert "**Next:** correct the file" in shown
    assert "9.5000" in shown
    step, *reasons = refusal_in_words(platform, RATINGS_BUFFER, "batch_w1").splitlines()
    assert step.startswith("correct the file and put it into the folder again.")
    assert reasons == [f"row {number}: rating is not from 0.5 to 5.0" for number in range(1, 6)]
    assert rejected_metadata(platform, RATINGS_BUFFER, "batch_w2") == {}


def test_the_structure_names_a_column_of_another_type(platform: Platform) -> None:
    assert structure(MOVIES).evaluate(platform, None).passed
    execute(platform, "ALTER TABLE movies ALTER title TYPE text")
    outcome = structure(MOVIES).evaluate(platform, None)
    assert not outcome.passed
    assert "title" in outcome.description


def test_a_rating_without_its_movie_fails(platform: Platform) -> None:
    load_table(platform, "batches/batch_w1", RATINGS_HEADER + GOOD)
    load_table(platform, "ratings", RATINGS_HEADER + GOOD)
    buffer, ratings = referential_integrity(RATINGS_BUFFER), referential_integrity(RATINGS)
    assert buffer.evaluate(platform, "batch_w1").passed
    assert ratings.evaluate(platform, None).passed
    execute(platform, "DELETE FROM movies")
    assert buffer.evaluate(platform, "batch_w1").metadata == {"ratings_without_movie": 100}
    assert not ratings.evaluate(platform, None).passed
    assert buffer.evaluate(platform, "batch_w2").passed


def test_a_movie_twice_in_the_collection_fails(platform: Platform) -> None:
    execute(platform, "ALTER TABLE netflix.movies DROP CONSTRAINT movies_same_movie_once")
    row = "INSERT INTO netflix.movies (title, genre) VALUES ('Heat', 'Action')"
    execute(platform, row)
    assert each_movie_once().evaluate(platform, None).passed
    execute(platform, row)
    assert not each_movie_once().evaluate(platform, None).passed


@pytest.mark.parametrize(
    ("train", "test", "passed"), [(710, 290, True), (800, 200, False), (0, 0, True)], ids=["chance", "wrong", "empty"]
)
def test_the_test_share_may_differ_by_chance_only(platform: Platform, train: int, test: int, passed: bool) -> None:
    insert_movies(platform, (1, "A"))
    for split, rows in (("train", train), ("test", test)):
        execute(platform, f"INSERT INTO ratings SELECT n, 1, 4, 1, '{split}' FROM generate_series(1, {rows}) n")
    assert split_share().evaluate(platform, None).passed is passed


def test_the_budget_warns_above_85_percent(platform: Platform) -> None:
    assert storage_budget().severity is dg.AssetCheckSeverity.WARN
    assert storage_budget().evaluate(platform, None).passed
    small = make_platform(platform.settings.home / "small", platform.warehouse.url, CINEMATCH_STORAGE_BUDGET_MB="1")
    assert not storage_budget().evaluate(small, None).passed


def test_an_old_batch_that_is_loaded_again_leaves_the_newest_one_as_old_as_it_was(platform: Platform) -> None:
    check = newest_batch()
    assert check.evaluate(platform, None).passed, "no batch has come yet"
    for days, name in ((30, "batch_w1"), (9, "batch_w2")):
        load_table(platform, f"batches/{name}", f"{RATINGS_HEADER}{GOOD}")
        execute(
            platform,
            f"UPDATE ops.files SET landed_at = now() - interval '{days} days' WHERE for_table = 'batches/{name}'",
        )
    load_table(platform, "batches/batch_w1", f"{RATINGS_HEADER}{GOOD}101,10,4.0,1000000000\n")
    outcome = check.evaluate(platform, None)
    assert not outcome.passed
    assert "`batch_w2`, is 9.0 days old; one is expected each week" in outcome.description
    load_table(platform, "batches/batch_w3", f"{RATINGS_HEADER}{GOOD}")
    assert check.evaluate(platform, None).passed
