import numpy as np
import pandas as pd
import pytest
from pandera.errors import SchemaErrors

from cinematch_assets.schemas.movies_file import MOVIES_FILE
from cinematch_assets.schemas.pandera_schema import parsed_schema, typed_schema
from cinematch_assets.schemas.ratings_file import RATINGS_FILE
from cinematch_assets.schemas.table import NOT_AN_INTEGER, Rule


def ratings(**columns: object) -> pd.DataFrame:
    row = {"userId": 1, "movieId": 10, "rating": 4.0, "timestamp": 1_112_486_027} | columns
    return pd.DataFrame([row])


def broken(frame: pd.DataFrame, table=RATINGS_FILE) -> list[tuple[str, str]]:
    with pytest.raises(SchemaErrors) as raised:
        parsed_schema(table).validate(frame.astype("float64"), lazy=True)
    cases = raised.value.failure_cases
    return list(zip(cases["column"], cases["check"], strict=True))


def test_typed_ratings_of_the_declared_dtypes_pass():
    frame = ratings().astype({c.name: c.dtype for c in RATINGS_FILE.columns})
    assert typed_schema(RATINGS_FILE).validate(frame, lazy=True).equals(frame)


def test_ratings_of_other_dtypes_fail():
    with pytest.raises(SchemaErrors, match="float32"):
        typed_schema(RATINGS_FILE).validate(ratings().astype("float64"), lazy=True)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("userId", 2.7, NOT_AN_INTEGER),
        ("userId", 0, "is not from 1 to 2147483647"),
        ("movieId", 2.0**31, "is not from 1 to 2147483647"),
        ("rating", 0.0, "is not from 0.5 to 5.0"),
        ("rating", 0.4, "is not in half steps"),
        ("rating", 5.5, "is not from 0.5 to 5.0"),
        ("timestamp", 1_112_486_027_000, "is in milliseconds, seconds are expected"),
        ("timestamp", -1, "is not a time from 1970 to 2099, in seconds"),
        ("rating", np.nan, "not_nullable"),
    ],
)
def test_a_broken_rule_is_reported_in_its_words(column, value, reason):
    assert (column, reason) in broken(ratings(**{column: value}))


def test_every_multiple_of_half_a_star_is_a_rating():
    ratings_in_half_stars = pd.concat([ratings(rating=half / 2) for half in range(1, 11)], ignore_index=True).astype(
        "float64"
    )
    parsed_schema(RATINGS_FILE).validate(ratings_in_half_stars, lazy=True)


def test_a_rule_can_be_added_for_one_reading():
    table = RATINGS_FILE.with_rule("movieId", Rule("among", (np.array([11, 12]),), "in the table of movies"))
    assert broken(ratings(), table) == [("movieId", "is not in the table of movies")]
    assert len(RATINGS_FILE.column("movieId").rules) == 1


def test_a_rule_for_a_column_that_is_not_there_is_a_mistake():
    with pytest.raises(KeyError, match="movieid"):
        RATINGS_FILE.with_rule("movieid", Rule("among", (), ""))


def test_uniqueness_is_checked_only_on_a_complete_table():
    twice = pd.DataFrame({"movieId": [1, 1], "title": ["A", "B"], "genres": [None, "Drama"]})
    twice = twice.astype({"movieId": "int32"})
    typed_schema(MOVIES_FILE, is_complete=False).validate(twice, lazy=True)
    with pytest.raises(SchemaErrors, match="duplicate"):
        typed_schema(MOVIES_FILE).validate(twice, lazy=True)
