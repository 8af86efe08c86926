import math

import dagster as dg
import pytest

from cinematch_assets.dagster_support.metadata import column_schema, messages, rounded, uri_metadata
from cinematch_assets.schemas.movies import MOVIES


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("s3://bucket/models/x.model", dg.UrlMetadataValue),
        ("file:///data/store/models/x.model", dg.PathMetadataValue),
        ("/data/s3/x", dg.PathMetadataValue),
    ],
)
def test_an_object_in_a_bucket_is_a_link_and_a_file_is_a_path(uri: str, kind: type) -> None:
    value = uri_metadata(uri)
    assert isinstance(value, kind)
    assert value.value == uri


def test_twenty_messages_are_shown_and_the_others_counted() -> None:
    assert messages(["one", "two"]).value == ["one", "two"]
    shown = messages([str(number) for number in range(1_020)]).value
    assert isinstance(shown, list)
    assert (len(shown), shown[-1]) == (21, "and 1,000 more")


def test_floats_are_rounded_and_undefined_values_are_left_out() -> None:
    values = {
        "rmse": 0.123456789,
        "users": 3,
        "method": "als",
        "ndcg": float("nan"),
        "coverage": None,
        "batches": ("a",),
    }
    assert rounded(values) == {"rmse": 0.12346, "users": 3, "method": "als", "batches": ["a"]}
    nested = {"bounds": {"rmse": 0.1234567, "mae": None}, "slices": [{"rmse": math.nan, "rows": 1}, (0.1234567,)]}
    assert rounded(nested) == {"bounds": {"rmse": 0.12346}, "slices": [{"rows": 1}, [0.12346]]}


def test_the_column_schema_has_each_declared_column() -> None:
    schema = column_schema(MOVIES)
    assert [column.name for column in schema.columns] == [column.name for column in MOVIES.columns]
