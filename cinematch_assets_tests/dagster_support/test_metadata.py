import math

import dagster as dg
import pytest

from cinematch_assets.dagster_support.metadata import column_schema, messages, readable, rounded, uri_metadata
from cinematch_assets.schemas.model_metrics import MODEL_METRICS
from cinematch_assets.schemas.movies import MOVIES
from cinematch_assets.schemas.ratings_buffer import RATINGS_BUFFER


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


def test_a_rule_that_its_label_would_cut_stands_in_the_description() -> None:
    columns = {column.name: column for column in column_schema(RATINGS_BUFFER).columns}
    assert list(columns["rating"].constraints.other) == ["from 0.5 to 5.0", "in half steps"]
    assert list(columns["timestamp"].constraints.other) == []
    assert columns["timestamp"].description == "Original rating timestamp; a time from 1970 to 2099, in seconds"


def test_no_description_is_swallowed_as_html() -> None:
    """Dagster shows it as Markdown with HTML: ``<n>`` was gone."""
    (version,) = (column for column in column_schema(MODEL_METRICS).columns if column.name == "model_version")
    assert version.description is not None
    assert version.description.endswith("_v&lt;n&gt;")


def test_lists_are_their_items_and_mappings_are_tables() -> None:
    values = {"rmse": 0.123456789, "batches": ["a", "b"], "merged": [], "unknown_genres": {}, "built": True}
    assert readable(values) == {
        "rmse": 0.12346,
        "batches": "a, b",
        "merged": "none",
        "unknown_genres": "none",
        "built": True,
    }
    (value,) = readable({"computed_by": {"blas": [{"kernel": "<b>"}], "bounds": {"rmse": 0.1234567}}}).values()
    assert isinstance(value, dg.MarkdownMetadataValue)
    assert value.md_str is not None
    assert value.md_str.splitlines()[2:] == ["| blas 1 kernel | &#60;b&#62; |", "| bounds rmse | 0.12346 |"]
