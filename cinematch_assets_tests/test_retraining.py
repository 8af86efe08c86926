"""When to retrain: the decision on a batch, and whether a run is started now."""

import pytest

from cinematch_assets.retraining import (
    BatchFacts,
    Decision,
    Evidence,
    Request,
    RetrainingFacts,
    RetrainingPolicy,
    Skip,
    missing_output,
    next_retraining,
    retraining_decision,
    retraining_request,
)
from cinematch_assets.values import WaitingDecision

POLICY = RetrainingPolicy()
CALM = Evidence("rating_std", 0.02, 0.15, 0.03)
MOVED = Evidence("rating_distribution_ks", 0.133, 0.05, 0.061)
USUAL = Evidence("rating_mean", 0.121, 0.10, 0.15)


def decide(*evidence: Evidence, rows: int = 43_000, unseen: int = 43_000, trained: int = 700_000) -> Decision:
    return retraining_decision(BatchFacts("batch_w3", rows, evidence, unseen, trained), POLICY)


def waiting_for(batch: str, attempts: int = 0) -> WaitingDecision:
    return WaitingDecision(int(batch[-1]), batch, batch.ljust(32, "0"), "drift", attempts)


def batches(decisions: tuple[WaitingDecision, ...]) -> tuple[str, ...]:
    return tuple(each.batch_id for each in decisions)


def test_drift_beyond_the_null_bound_is_due_and_named() -> None:
    assert decide(CALM, MOVED) == Decision(
        due=True,
        reason="batch_w3: rating_distribution_ks 0.133 over 0.050 and its null bound 0.061",
    )


def test_an_alert_within_the_null_bound_is_not_due() -> None:
    assert decide(USUAL, CALM) == Decision(
        due=False,
        reason="batch_w3: rating_mean 0.121 over 0.100, but within its null bound 0.150; "
        "43,000 of 105,000 unseen ratings",
    )


def test_a_usual_alert_beside_an_unusual_one_is_not_given_as_a_reason() -> None:
    decision = decide(USUAL, MOVED)
    assert decision.due
    assert "rating_mean" not in decision.reason


def test_a_score_over_its_null_bound_but_under_its_threshold_is_no_drift() -> None:
    # At 25M ratings everything is unusual; effect size decides.
    assert decide(Evidence("rating_mean", 0.02, 0.10, 0.001)).reason.startswith(
        "batch_w3: nothing over its threshold; 43,000 of 105,000"
    )


@pytest.mark.parametrize(("rows", "due"), [(999, False), (1_000, True)])
def test_a_batch_under_a_thousand_rows_is_no_evidence(rows: int, due: bool) -> None:
    decision = decide(MOVED, rows=rows, unseen=rows)
    assert decision.due is due
    assert ("999 rows are too few to decide (1,000 needed)" in decision.reason) is not due


@pytest.mark.parametrize(("unseen", "due"), [(104_999, False), (105_000, True)])
def test_enough_unseen_ratings_are_due_without_drift(unseen: int, due: bool) -> None:
    decision = decide(CALM, unseen=unseen)
    assert decision.due is due
    assert f"{unseen:,}" in decision.reason
    assert "105,000" in decision.reason


def test_the_third_weekly_batch_is_enough() -> None:
    assert [decide(CALM, unseen=43_000 * weeks).due for weeks in (1, 2, 3)] == [False, False, True]


def test_undefined_statistics_are_no_evidence() -> None:
    assert not decide(Evidence("rating_std", None, 0.15, None), Evidence("rating_mean", 0.3, 0.1, None)).due


def test_without_a_champion_any_batch_is_a_reason() -> None:
    assert decide(CALM, trained=0) == Decision(due=True, reason="batch_w3: there is no champion yet")


def test_all_waiting_decisions_share_one_run() -> None:
    launch = next_retraining(
        [waiting_for("batch_w1", 0), waiting_for("batch_w2", 1)],
        running=False,
        since_last_s=None,
        policy=POLICY,
    )
    assert (batches(launch.decisions), launch.attempt) == (("batch_w1", "batch_w2"), 2)
    assert launch.reason == "retraining for batch_w1, batch_w2"


def test_a_failed_retraining_is_tried_again_up_to_the_limit_and_then_says_so() -> None:
    launches = [
        next_retraining([waiting_for("batch_w1", tried)], running=False, since_last_s=None, policy=POLICY)
        for tried in range(4)
    ]
    assert [launch.attempt for launch in launches] == [1, 2, 3, 0]
    assert launches[3].decisions == ()
    assert batches(launches[3].given_up) == ("batch_w1",)
    assert launches[3].reason == "no decision waits; given up after 3 attempts: batch_w1"


def test_a_batch_that_was_given_up_does_not_hold_up_the_others() -> None:
    waiting = [waiting_for("batch_w1", 3), waiting_for("batch_w2", 0)]
    launch = next_retraining(waiting, running=False, since_last_s=None, policy=POLICY)
    assert (batches(launch.decisions), launch.attempt, batches(launch.given_up)) == (("batch_w2",), 1, ("batch_w1",))


@pytest.mark.parametrize(
    ("running", "since_last_s", "expected"),
    [
        (True, None, "batch_w1 waits: a retraining is under way"),
        (False, 20.0, "batch_w1 waits: the last retraining ended 20 s ago, the cooldown is 60 s"),
        (False, 60.0, "retraining for batch_w1"),
    ],
)
def test_one_run_at_a_time_with_a_rest_between(running: bool, since_last_s: float | None, expected: str) -> None:
    waiting = [waiting_for("batch_w1", 0)]
    launch = next_retraining(waiting, running=running, since_last_s=since_last_s, policy=POLICY)
    assert launch.reason == expected
    assert bool(launch.decisions) is expected.startswith("retraining")


def test_without_waiting_decisions_nothing_starts() -> None:
    assert next_retraining([], running=False, since_last_s=None, policy=POLICY).reason == "no decision waits"


FIRST_MODEL = missing_output(None, readable=False, model_format=4, recommended=None)
OTHER_FORMAT = missing_output("run_1_v1", readable=False, model_format=4, recommended="run_1_v1")
RECOMMENDATIONS = missing_output("run_2_v1", readable=True, model_format=4, recommended="run_1_v1")


def request(**facts: object) -> Request | Skip:
    return retraining_request(RetrainingFacts(**facts), POLICY)


def test_nothing_is_missing_when_the_recommendations_are_by_the_champion() -> None:
    assert missing_output("run_1_v1", readable=True, model_format=4, recommended="run_1_v1") is None


@pytest.mark.parametrize(
    ("missing", "key", "assets"),
    [
        (FIRST_MODEL, "retrain:first:1", ()),
        (OTHER_FORMAT, "retrain:run_1_v1:format4:1", ()),
        (RECOMMENDATIONS, "recommendations:run_2_v1:1", ("recommendations",)),
    ],
)
def test_what_is_missing_is_requested_before_any_decision(missing: object, key: str, assets: tuple[str, ...]) -> None:
    chosen = request(missing=missing, waiting=(waiting_for("batch_w1"),))
    assert isinstance(chosen, Request)
    assert (chosen.run_key, chosen.assets) == (key, assets)
    assert list(chosen.tags.values()) == [key.removesuffix(":1")]  # by which the next tick counts this run


def test_each_attempt_has_a_run_key_of_its_own() -> None:
    keys = [request(missing=FIRST_MODEL, ended_runs=ended).run_key for ended in range(3)]
    assert keys == ["retrain:first:1", "retrain:first:2", "retrain:first:3"]


def test_without_ratings_no_model_is_trained() -> None:
    assert request(missing=FIRST_MODEL, has_ratings=False) == Skip("no ratings to train a model on")


def test_a_missing_model_that_was_given_up_leaves_room_for_a_decision() -> None:
    assert "given up after 3 runs" in request(missing=FIRST_MODEL, ended_runs=3).reason
    chosen = request(missing=FIRST_MODEL, ended_runs=3, waiting=(waiting_for("batch_w1"),))
    assert isinstance(chosen, Request)
    assert chosen.reason == "retraining for batch_w1"


def test_missing_recommendations_that_were_given_up_start_no_training() -> None:
    chosen = request(missing=RECOMMENDATIONS, ended_runs=3, waiting=(waiting_for("batch_w1"),))
    assert chosen == Skip("recommendations: given up after 3 runs; materialize it by hand to try again")


@pytest.mark.parametrize("missing", [None, FIRST_MODEL, RECOMMENDATIONS])
def test_while_a_retraining_runs_none_is_started(missing: object) -> None:
    chosen = request(missing=missing, waiting=(waiting_for("batch_w1"),), running=True)
    assert isinstance(chosen, Skip)
    assert "under way" in chosen.reason


def test_a_champion_of_a_newer_release_blocks_every_run() -> None:
    assert request(blocked="upgrade first", missing=OTHER_FORMAT, waiting=(waiting_for("batch_w1"),)) == Skip(
        "upgrade first"
    )


def test_the_run_key_of_decisions_depends_on_content_and_attempt() -> None:
    def key(*waiting: WaitingDecision) -> str:
        return request(waiting=waiting).run_key

    first = key(waiting_for("batch_w1"))
    assert first == key(waiting_for("batch_w1"))
    assert len({first, key(waiting_for("batch_w1", 1)), key(waiting_for("batch_w1"), waiting_for("batch_w2"))}) == 3


def test_given_up_decisions_are_named_with_or_without_a_request() -> None:
    given_up, ready = waiting_for("batch_w1", 3), waiting_for("batch_w2")
    assert request(waiting=(given_up,)) == Skip("no decision waits; given up after 3 attempts: batch_w1", (given_up,))
    chosen = request(waiting=(given_up, ready))
    assert (chosen.given_up, list(chosen.tags)) == ((given_up,), ["cinematch/decision-2", "cinematch/reason"])
