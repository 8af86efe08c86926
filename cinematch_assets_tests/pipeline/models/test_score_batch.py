"""The champion and its predecessor on batches, and the way back."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cinematch_assets.pipeline.batch_drift import assess_batch
from cinematch_assets.pipeline.models.gate_candidate import gate_candidate
from cinematch_assets.pipeline.models.publish import publish_recommendations
from cinematch_assets.pipeline.models.score_batch import is_worse_running, roll_back_if_worse
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.simulate_batch import simulate_next
from cinematch_assets.warehouse.batch_performance import (
    BatchPerformance,
    Scores,
    list_batch_performance,
    write_batch_performance,
)
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets.warehouse.notifications import list_notifications
from cinematch_assets_tests.support.platforms import drop_history, load_table, take_in_history

WORSE = BatchPerformance(
    "w1",
    "a" * 32,
    datetime.now(UTC),
    9,
    "v2",
    0.95,
    0.7,
    "v1",
    0.9,
    0.7,
    0.05,
    0.01,
    0.09,
    None,
    None,
    None,
    None,
    None,
)
NOT_SHOWN = replace(WORSE, low=-0.01)


@pytest.mark.parametrize(
    ("measured", "worse"),
    [
        ([], False),
        ([WORSE], False),
        ([WORSE, WORSE], True),
        ([WORSE, NOT_SHOWN], False),
        ([WORSE, NOT_SHOWN, WORSE], False),
        ([NOT_SHOWN, WORSE, WORSE], True),
        ([replace(WORSE, champion="v1"), WORSE], False),
    ],
)
def test_a_champion_is_worse_when_shown_so_on_the_last_two_batches(
    measured: list[BatchPerformance], worse: bool
) -> None:
    assert is_worse_running(measured, "v2") is worse


def test_each_batch_is_scored_by_champion_and_predecessor_and_two_bad_ones_lead_back(platform: Platform) -> None:
    drop_history(platform, users=60, movies=60)
    take_in_history(platform)
    versions = []
    for run in ("11111111", "22222222"):
        versions.append(gate_candidate(platform, train_candidate(platform, run).version).version)
        publish_recommendations(platform)
    first, second = versions
    batch = simulate_next(platform, rows=300).batch_id
    load_table(platform, f"batches/{batch}")
    scores = assess_batch(platform, batch).scores
    assert scores is not None
    assert (scores.rows, scores.champion, scores.predecessor) == (300, second, first)
    assert scores.difference == 0.0  # fitted to the same rows
    (row,) = platform.warehouse.run(list_batch_performance)
    assert row.list_version == second
    assert row.listed_rows is not None
    assert row.unlisted_rows is not None
    assert row.listed_rows + row.unlisted_rows == 300
    automatic = replace(platform, settings=platform.settings.model_copy(update={"auto_rollback": "on"}))
    assert roll_back_if_worse(automatic) is None
    worse = Scores(9, second, 0.95, 0.7, first, 0.9, 0.7, 0.05, 0.01, 0.09)
    for name in ("batch_w2", "batch_w3"):
        platform.warehouse.run(write_batch_performance, name, "a" * 32, worse, None)
    assert roll_back_if_worse(platform) is None  # not asked for by the setting
    assert f"{first} is champion again instead of {second}" in str(roll_back_if_worse(automatic))
    told = platform.warehouse.run(list_notifications)[0]
    assert (told.kind, told.body) == (
        "champion changed",
        f"rolled back from {second}: shown worse than its predecessor on 2 batches running",
    )
    champion = platform.warehouse.run(read_champion)
    assert champion is not None
    assert champion.version == first
    assert roll_back_if_worse(automatic) is None
