"""Each check of models and features, passing and failing, on what is really stored."""

from pathlib import Path

import pytest

from cinematch_assets.dagster_support.model_checks import (
    artifact,
    better_than_baselines,
    by_champion,
    explained_variance,
)
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import given_champion


def execute(platform: Platform, order: str) -> None:
    with platform.warehouse.connect() as connection:
        connection.execute(order.encode())


def test_an_artifact_whose_bytes_are_gone_or_changed_fails(platform: Platform, tmp_path: Path) -> None:
    check = artifact()
    assert check.blocking
    assert check.evaluate(platform, None).passed
    version = given_champion(platform)
    missing = check.evaluate(platform, None)
    assert not missing.passed
    assert version in missing.description
    platform.store.put_bytes("models/x", b"not a model")
    altered = check.evaluate(platform, None)
    assert not altered.passed
    assert altered.description != missing.description


def test_a_champion_of_another_release_does_not_block_the_model_that_replaces_it(platform: Platform) -> None:
    given_champion(platform, artifact_format=1)
    assert artifact().evaluate(platform, None).passed


@pytest.mark.parametrize(
    ("rmse", "ndcg", "passed"), [(0.8, 0.3, True), (0.95, 0.3, False), (0.8, 0.1, False)], ids=["both", "rmse", "ndcg"]
)
def test_a_model_that_loses_to_a_baseline_fails(platform: Platform, rmse: float, ndcg: float, passed: bool) -> None:
    assert better_than_baselines().evaluate(platform, None).passed
    given_champion(platform)
    bias_only = '{"rmse": 0.9, "catalogue_ndcg_at_10": 0.05}'
    popularity = '{"rmse": 1.1, "catalogue_ndcg_at_10": 0.2}'
    baselines = f'{{"bias_only": {bias_only}, "popularity": {popularity}}}'
    metrics = f'{{"rmse": {rmse}, "catalogue_ndcg_at_10": {ndcg}, "baselines": {baselines}}}'
    execute(platform, f"UPDATE ops.model_versions SET metrics = '{metrics}'")
    outcome = better_than_baselines().evaluate(platform, None)
    assert outcome.passed is passed
    assert outcome.metadata["best_baseline_rmse"] == 0.9


@pytest.mark.parametrize(("kept", "passed"), [(0.08, True), (0.05, False)])
def test_features_that_keep_too_little_warn(platform: Platform, kept: float, passed: bool) -> None:
    assert not explained_variance().evaluate(platform, None).passed
    basis = f'{{"explained_variance": {[kept] * 10}}}'
    execute(platform, f"INSERT INTO ops.genre_bases VALUES ('v', '{basis}', {10 * kept})")
    assert explained_variance().evaluate(platform, None).passed is passed


def test_a_champion_whose_lists_were_not_published_fails(platform: Platform) -> None:
    assert by_champion().evaluate(platform, None).passed
    given_champion(platform)
    assert by_champion().evaluate(platform, None).passed
    execute(platform, "UPDATE ops.champion SET recommended = NULL")
    assert not by_champion().evaluate(platform, None).passed
