from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.table_validation import MAX_EXAMPLES, find_rejected_rows, validate_table
from cinematch_assets.schemas.ratings import RATINGS
from cinematch_assets_tests.support.platforms import MOVIES as MOVIES_HEADER
from cinematch_assets_tests.support.platforms import RATINGS as RATINGS_HEADER
from cinematch_assets_tests.support.platforms import load_table


def test_every_invalid_row_is_counted_and_the_first_are_shown(platform: Platform) -> None:
    with platform.warehouse.connect() as connection:
        connection.execute(
            "INSERT INTO ratings SELECT n, 1, CASE WHEN n % 2 = 0 THEN 3.3 ELSE 3.5 END, 1, 'train' "
            "FROM generate_series(1, 100) n"
        )
    found = validate_table(platform, "public", RATINGS)
    assert (found.rows, found.invalid, found.counts["rating is not in half steps"]) == (100, 50, 50)
    assert len(found.examples) == MAX_EXAMPLES
    assert found.examples[0].values == {"userId": 2, "movieId": 1, "rating": 3.3}
    assert found.examples[0].reasons == ("rating is not in half steps",)
    assert set(found.counts) == set(RATINGS.reasons)


def test_rejected_rows_are_those_of_the_newest_content(platform: Platform) -> None:
    assert find_rejected_rows(platform, RATINGS, "ratings", ("a rule",)).counts == {"a rule": 0}
    load_table(platform, "movies", f"{MOVIES_HEADER}10,Heat (1995),Action\n")
    good = "".join(f"{user},10,4.0,1000000000\n" for user in range(1, 101))
    load_table(platform, "ratings", f"{RATINGS_HEADER}{good}200,10,9,1\n")
    found = find_rejected_rows(platform, RATINGS, "ratings", ("a rule",))
    assert (found.rows, found.counts) == (1, {"a rule": 0, "rating is not from 0.5 to 5.0": 1})
    assert (found.examples[0].row_number, found.examples[0].raw_row) == (101, "200,10,9,1")
    load_table(platform, "ratings", RATINGS_HEADER + good)
    assert find_rejected_rows(platform, RATINGS, "ratings", ()).rows == 0
