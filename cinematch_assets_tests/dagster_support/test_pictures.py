"""What is drawn is short enough for Dagster's page at its longest, and says in words what it shows."""

from datetime import UTC, datetime

import dagster as dg

from cinematch_assets.dagster_support.markdown import INLINE_CHARACTERS
from cinematch_assets.dagster_support.pictures import (
    MAX_VERSIONS,
    drift_scores,
    explained_variance,
    figures_over_versions,
    ratings_beside_history,
    sample_lists,
)
from cinematch_assets.values import DriftAlert
from cinematch_assets.warehouse.model_registry import ModelVersion
from cinematch_assets.warehouse.monitoring import OfferedMovie, SampleUser

STATISTICS = ("rating_mean", "rating_std", "rating_distribution_ks", "model_rmse", "model_mae")


def text(value: object) -> str:
    """The Markdown, which is shown in place."""
    assert isinstance(value, dg.MarkdownMetadataValue)
    assert len(value.md_str) < INLINE_CHARACTERS
    return value.md_str


def make_version(ordinal: int, state: str = "promoted", rmse: float | None = 0.9) -> ModelVersion:
    return ModelVersion(
        version=f"v{ordinal}_abcdef",
        ordinal=ordinal,
        run_id="run",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        state=state,
        method="blend",
        config={},
        seed=1,
        data_size=1_000,
        artifact_key="key",
        artifact_sha256="0" * 64,
        artifact_size=1,
        artifact_format=1,
        computed_by=None,
        trained_from=None,
        metrics=None if rmse is None else {"rmse": rmse, "catalogue_ndcg_at_10": 0.1 + rmse / 100},
        evidence=None,
        decided_at=None,
        previous_champion=None,
    )


def test_drift_counts_what_is_over_its_threshold() -> None:
    alerts = [
        DriftAlert(name, 0.1234 + place, 0.15, alert_triggered=place > 0, notes="", baseline_rows=9, batch_rows=9)
        for place, name in enumerate(STATISTICS)
    ]
    shown = text(drift_scores(alerts, dict.fromkeys(STATISTICS, 0.0171)))
    assert "4 of 5 over the threshold" in shown


def test_the_ratings_of_a_batch_stand_beside_the_history() -> None:
    history, batch = (1370, 2811, 1791, 7551, 5550, 20047, 13136, 26818, 8551, 13211), (19, 0, 3, 4, 5, 6, 7, 8, 9, 999)
    assert "1,060 ratings of the batch" in text(ratings_beside_history(history, batch))


def test_each_feature_has_its_share_of_the_variance() -> None:
    assert "91.0% of the genres' variance in 10 features" in text(explained_variance([0.28, *[0.07] * 9]))


def test_the_newest_versions_are_drawn_with_the_champion_and_the_rejected_told_apart() -> None:
    versions = [
        make_version(number, "rejected" if number % 2 else "promoted", 0.9 - number / 777) for number in range(40)
    ]
    drawn = figures_over_versions([make_version(40, "candidate", None), *reversed(versions)], "v38_abcdef")
    assert list(drawn) == ["rmse_over_versions", "ndcg_over_versions"]
    rmse = text(drawn["rmse_over_versions"])
    assert f"over {MAX_VERSIONS} versions, {0.9 - 39 / 777:.4f} now; lower is better" in rmse
    assert rmse.count("l-5-9z") == 1
    assert rmse.count("h6v6h-6z") == MAX_VERSIONS / 2
    assert f"v{40 - MAX_VERSIONS}" in rmse
    text(drawn["ndcg_over_versions"])


def test_before_the_first_figures_nothing_is_drawn() -> None:
    assert figures_over_versions([make_version(1, "candidate", None)], None) == {}


def test_sample_lists_have_each_user_without_their_number_and_hostile_titles_as_text() -> None:
    title = "[Über](javascript:x) <b>" + "long " * 40
    users = [
        SampleUser(user, 20, [], [OfferedMovie(rank, title, [title] * (user % 2)) for rank in (1, 2, 3)])
        for user in (101, 102, 103)
    ]
    shown = text(sample_lists(users))
    assert [f"| {letter} | 1. " in shown for letter in "ABC"] == [True] * 3
    assert [row[2] for row in shown.splitlines()[2:]] == sorted(row[2] for row in shown.splitlines()[2:])
    assert "10" not in shown
    assert "its popularity" in shown
    assert "<b>" not in shown
    assert "](" not in shown
    assert text(sample_lists([])) == "no lists yet"
