import dagster as dg
import pytest

from cinematch_assets.dagster_support.asset_checks import (
    each_movie_once,
    referential_integrity,
    schema_check,
    split_check,
    storage_check,
)
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.schemas.movies import MOVIES
from cinematch_assets.warehouse.inspection import SplitCount


def split(name: str, rows: int) -> SplitCount:
    return SplitCount(name=name, rows=rows, mean=3.5, std=1.0)


def test_the_schema_check_names_a_column_of_another_type(platform: Platform) -> None:
    assert schema_check(platform.warehouse, "public", MOVIES).passed
    with platform.warehouse.connect() as connection:
        connection.execute("ALTER TABLE movies ALTER title TYPE text")
    result = schema_check(platform.warehouse, "public", MOVIES)
    assert not result.passed
    assert "title" in str(result.description)


@pytest.mark.parametrize("check", [referential_integrity, each_movie_once])
def test_one_row_too_many_fails(check: object) -> None:
    assert (check(0).passed, check(1).passed) == (True, False)


@pytest.mark.parametrize(
    ("train", "test", "passed"),
    [(700_000, 300_000, True), (702_100, 297_900, False), (7_100, 2_900, True), (8_000, 2_000, False), (0, 0, True)],
)
def test_the_test_share_may_differ_by_chance_only(train: int, test: int, passed: bool) -> None:
    assert split_check([split("train", train), split("test", test)]).passed is passed


def test_the_budget_check_warns_above_85_percent(platform: Platform) -> None:
    used = storage_check(platform.warehouse, 512)
    assert (used.passed, used.severity) == (True, dg.AssetCheckSeverity.WARN)
    assert not storage_check(platform.warehouse, 1).passed
