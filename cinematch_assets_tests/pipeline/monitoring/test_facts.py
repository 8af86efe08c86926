"""The figures of the page come from the tables, and are those of ``cinematch status``."""

from datetime import UTC, datetime, timedelta

import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.monitoring.facts import age, headline, read_facts
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import DriftAlert, OutstandingWork
from cinematch_assets.warehouse.batches import read_stored_batch
from cinematch_assets.warehouse.champion import promote, reject
from cinematch_assets.warehouse.drift_alerts import write_assessment
from cinematch_assets.warehouse.model_registry import Artifact, GateResult, register_candidate
from cinematch_assets.warehouse.outstanding import replace_outstanding
from cinematch_assets.warehouse.table_sizes import archive_alerts
from cinematch_assets_tests.support.platforms import given_champion, insert_movies, load_table

HEADER = "userId,movieId,rating,timestamp\n"


def given_version(platform: Platform, rmse: float, *, promoted: bool, over: str | None = None) -> str:
    """Register a version with this error and decide on it."""
    artifact = Artifact("models/x", "0" * 64, 1, 1)
    metrics = {"rmse": rmse, "catalogue_ndcg_at_10": 0.2, "baselines": {"bias_only": {"rmse": 0.95}}}
    result = GateResult(rmse, 1, 1, "", metrics, {"reason": f"test RMSE {rmse}"})
    with platform.warehouse.connect() as connection:
        version = register_candidate(
            connection, "run00000", artifact, method="m", config={}, seed=0, data_size=1, batches=[]
        )
        if promoted:
            promote(connection, version, artifact, result, over=over, data_size=1, merge="merge")
        else:
            reject(connection, version, result)
    return version


def given_batch(platform: Platform, batch: str, rows: int, score: float | None = None) -> None:
    """Load a batch, and assess it when it has a score."""
    lines = "".join(f"{user},10,4.0,{10**9 + user}\n" for user in range(1, rows + 1))
    load_table(platform, f"batches/{batch}", HEADER + lines)
    if score is None:
        return
    with platform.warehouse.connect() as connection:
        stored = read_stored_batch(connection, batch)
        assert stored is not None
        alert = DriftAlert("rating_mean", score, 0.1, score > 0.1, "", 10, rows)
        evidence = {"null_spread": {"bounds": {"rating_mean": 0.02}}}
        write_assessment(
            connection, batch, stored.md5, [alert], due=score > 0.1, reason=f"{batch}: moved", evidence=evidence
        )


def given_refused(platform: Platform, batch: str) -> None:
    """Land a batch of which every second row breaks a rule."""
    with pytest.raises(CinematchError):
        load_table(platform, f"batches/{batch}", HEADER + "1,10,4.0,5\n2,10,9.0,5\n")


def test_an_empty_platform_has_a_page_too(platform: Platform) -> None:
    facts = read_facts(platform)
    assert headline(facts) == "nothing needs attention; no model serves yet"
    assert (facts.ratings, facts.arrivals, facts.drift, facts.histogram, facts.versions) == (0, [], [], None, [])
    assert facts.storage.used_mb == facts.storage.projected_mb > 1


def test_what_arrived_is_read_as_accepted_and_rejected_with_place_decision_and_reason(platform: Platform) -> None:
    insert_movies(platform, (10, "Heat (1995)"))
    load_table(platform, "ratings", HEADER + "".join(f"{user},10,3.0,5\n" for user in range(1, 41)))
    given_batch(platform, "batch_w1", 30, 0.05)
    given_batch(platform, "batch_w2", 20, 0.25)
    given_refused(platform, "batch_w3")
    facts = read_facts(platform)
    assert [each.batch_id for each in facts.arrivals] == ["batch_w3", "batch_w2", "batch_w1"]
    refused, drifted, quiet = facts.arrivals
    assert (refused.state, refused.rows_read, refused.place) == ("refused", 2, None)
    assert (drifted.rows_read, drifted.rows_accepted, drifted.rows_rejected) == (20, 20, 0)
    assert (drifted.place, drifted.decision, drifted.reason) == ("buffer", "waiting", "batch_w2: moved")
    assert quiet.decision == "not_due"
    assert [(each.batch_id, each.drift_score, each.alert_triggered, each.null_bound) for each in facts.drift] == [
        ("batch_w1", 0.05, False, 0.02),
        ("batch_w2", 0.25, True, 0.02),
    ]
    assert facts.histogram is not None
    assert (facts.histogram.batch_id, facts.histogram.batch[7]) == ("batch_w2", 20)
    assert (facts.ratings, facts.unseen_ratings) == (40, 50)
    assert facts.storage.rows_per_week == 25
    assert [(each.what, each.needs_a_person) for each in facts.attention] == [
        ("batches/batch_w3.csv", True),
        ("retraining batch_w2", False),
    ]
    assert "rating" in facts.attention[0].why
    assert headline(facts) == "1 thing needs attention; no model serves yet"
    assert facts.rejected[0].path == "batches/batch_w3.csv"


def test_a_refused_batch_that_is_outstanding_is_named_once(platform: Platform) -> None:
    insert_movies(platform, (10, "Heat (1995)"))
    given_refused(platform, "batch_w3")
    (note,) = [each.why for each in read_facts(platform).attention]
    row = OutstandingWork("batch", "batch_w3", "x", "given_up", note, "put a corrected file into the folder")
    platform.warehouse.run(replace_outstanding, ["batch"], [row])
    (only,) = read_facts(platform).attention
    assert (only.what, only.why) == ("batch batch_w3, given up", note)


def test_scores_that_maintenance_archived_stay_on_the_page(platform: Platform) -> None:
    insert_movies(platform, (10, "Heat (1995)"))
    given_batch(platform, "batch_w1", 10, 0.05)
    given_batch(platform, "batch_w2", 10, 0.06)
    with platform.warehouse.connect() as connection:
        connection.execute(
            "UPDATE drift_alerts SET alert_date = now() - interval '90 days' WHERE batch_id = 'batch_w1'"
        )
        assert archive_alerts(connection) == 1
    assert [each.batch_id for each in read_facts(platform).drift] == ["batch_w1", "batch_w2"]


def test_the_champion_is_beside_the_best_baseline_and_the_best_version_so_far(platform: Platform) -> None:
    first = given_version(platform, 0.80, promoted=True)
    second = given_version(platform, 0.84, promoted=True, over=first)
    given_version(platform, 0.90, promoted=False)
    facts = read_facts(platform)
    champion = facts.champion
    assert champion is not None
    assert (champion.version, champion.ordinal, champion.rmse) == (second, 2, 0.84)
    assert (champion.baseline, champion.baseline_rmse) == ("bias_only", 0.95)
    assert champion.total_loss == pytest.approx(0.05)
    assert champion.best_version == first
    assert [(each.ordinal, each.state) for each in facts.versions] == [
        (1, "promoted"),
        (2, "promoted"),
        (3, "rejected"),
    ]
    assert [(each.version, each.former) for each in facts.champion_changes] == [(second, first), (first, None)]


def test_lists_and_their_concentration(platform: Platform) -> None:
    insert_movies(platform, (10, "Heat (1995)"), (11, "Alien (1979)"))
    load_table(platform, "ratings", HEADER + "1,11,5.0,5\n1,10,2.0,5\n")
    given_champion(platform)
    with platform.warehouse.connect() as connection:
        connection.execute("UPDATE recommendations SET because = '{11}'")
    facts = read_facts(platform)
    assert headline(facts) == "nothing needs attention; v1 serves 1 user"
    assert (facts.lists.users, facts.lists.places, facts.lists.movies, facts.lists.catalogue) == (1, 1, 1, 2)
    (user,) = facts.sample_users
    assert [(each.title, each.rating) for each in user.liked] == [("Alien (1979)", 5.0), ("Heat (1995)", 2.0)]
    assert [(each.title, each.because) for each in user.offered] == [("Heat (1995)", ["Alien (1979)"])]
    assert facts.as_json()["champion"]["version"] == facts.champion_changes[0].version


NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"), [(10, "just now"), (60, "1 minute ago"), (7_200, "2 hours ago"), (86_400 * 9, "9 days ago")]
)
def test_an_age_is_said_in_its_largest_unit(seconds: int, said: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == said
