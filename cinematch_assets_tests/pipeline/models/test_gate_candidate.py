"""The decision on a candidate, and what is stored with it."""

import logging

import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.models.gate_candidate import GatedCandidate, gate_candidate
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.recommender.model import FORMAT
from cinematch_assets.warehouse.champion import read_champion
from cinematch_assets_tests.support.platforms import given_candidate, rows_of

Gated = tuple[Platform, GatedCandidate]


def test_a_first_candidate_that_beats_the_baselines_is_promoted(gated: Gated) -> None:
    platform, first = gated
    assert first.decision.promoted
    assert first.decision.reason.startswith("first model: test RMSE")
    assert first.previous_champion is None
    assert set(first.baselines) == set(first.decision.baselines)
    champion = platform.warehouse.run(read_champion)
    assert champion is not None
    assert champion.version == first.version


def test_the_evidence_is_stored_with_the_version(gated: Gated) -> None:
    platform, first = gated
    ((evidence, metrics),) = rows_of(
        platform, f"SELECT evidence, metrics FROM ops.model_versions WHERE version = '{first.version}'"
    )
    assert isinstance(evidence, dict)
    assert isinstance(metrics, dict)
    assert (evidence["promoted"], evidence["reason"]) == (True, first.decision.reason)
    assert metrics["rmse"] == pytest.approx(first.evaluation.rmse)
    assert rows_of(platform, "SELECT notes FROM model_metrics")[0][0].endswith(first.decision.reason)  # type: ignore[attr-defined]


def test_metadata_has_decision_evidence_and_figures(gated: Gated) -> None:
    metadata = gated[1].as_metadata()
    assert (metadata["promoted"], metadata["champion_before"], metadata["merged_batches"]) == (True, "none", [])
    assert metadata["evidence"]["policy"]["min_users"] == 30
    assert metadata["rmse"] == pytest.approx(gated[1].evaluation.rmse)


def test_a_version_is_decided_on_once(gated: Gated) -> None:
    platform, first = gated
    with pytest.raises(CinematchError, match=f"{first.version} is promoted already"):
        gate_candidate(platform, first.version)


def test_a_candidate_of_another_format_is_refused(champion_platform: Platform) -> None:
    version = given_candidate(champion_platform, "0f0f0f0f", artifact_format=FORMAT + 1)
    with pytest.raises(CinematchError, match="materialize recommender_model for a new one"):
        gate_candidate(champion_platform, version)


def test_a_champion_of_a_newer_release_is_not_replaced(champion_platform: Platform) -> None:
    version = given_candidate(champion_platform, "0e0e0e0e")
    change = "UPDATE ops.model_versions SET artifact_format = %s WHERE state = 'promoted'"
    with champion_platform.warehouse.connect() as connection:
        try:
            connection.execute(change, [FORMAT + 1])
            with pytest.raises(CinematchError, match="cannot replace the champion"):
                gate_candidate(champion_platform, version)
        finally:
            connection.execute(change, [FORMAT])


def test_the_decision_is_a_line_in_the_log(champion_platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="cinematch_assets"):
        gated = gate_candidate(champion_platform, train_candidate(champion_platform, "22222222").version)
    assert f"{gated.version} promoted: {gated.decision.reason}" in caplog.messages
    assert any(message.startswith("fit a candidate on ") for message in caplog.messages)
