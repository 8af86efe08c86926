import pytest

from cinematch_assets.retraining import (
    BatchFacts,
    Decision,
    Evidence,
    RetrainingPolicy,
    WaitingDecision,
    next_retraining,
    retraining_decision,
)

POLICY = RetrainingPolicy()
CALM = Evidence("rating_std", 0.02, 0.15, 0.03)
MOVED = Evidence("rating_distribution_ks", 0.133, 0.05, 0.061)
USUAL = Evidence("rating_mean", 0.121, 0.10, 0.15)


def decide(*evidence: Evidence, rows: int = 43_000, unseen: int = 43_000, trained: int = 700_000) -> Decision:
    return retraining_decision(BatchFacts("batch_w3", rows, evidence, unseen, trained), POLICY)


def test_drift_beyond_the_null_spread_is_due_and_named() -> None:
    assert decide(CALM, MOVED) == Decision(
        due=True,
        reason="batch_w3: rating_distribution_ks 0.133 over 0.050 and outside the null spread (0.061)",
    )


def test_an_alert_that_resampled_users_explain_is_not_due_and_says_so() -> None:
    assert decide(USUAL, CALM) == Decision(
        due=False,
        reason="batch_w3: rating_mean 0.121 over 0.100, but within the null spread (0.150); "
        "43,000 of 105,000 unseen ratings",
    )


def test_a_usual_alert_beside_an_unusual_one_is_not_given_as_a_reason() -> None:
    decision = decide(USUAL, MOVED)
    assert decision.due
    assert "rating_mean" not in decision.reason


def test_a_score_outside_the_null_spread_but_under_its_threshold_is_no_drift() -> None:
    # At 25M ratings everything is unusual; effect size decides.
    assert decide(Evidence("rating_mean", 0.02, 0.10, 0.001)).reason.startswith(
        "batch_w3: nothing over its threshold; 43,000 of 105,000"
    )


@pytest.mark.parametrize(("rows", "due"), [(999, False), (1_000, True)])
def test_a_thousand_rows_are_the_least_that_tell(rows: int, due: bool) -> None:
    decision = decide(MOVED, rows=rows, unseen=rows)
    assert decision.due is due
    assert ("999 rows are too few to tell (1,000 needed)" in decision.reason) is not due


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


def test_all_that_waits_shares_one_run() -> None:
    launch = next_retraining(
        [WaitingDecision("batch_w1", 0), WaitingDecision("batch_w2", 1)],
        running=False,
        since_last_s=None,
        policy=POLICY,
    )
    assert (launch.batch_ids, launch.attempt) == (("batch_w1", "batch_w2"), 2)
    assert launch.reason == "retraining for batch_w1, batch_w2"


def test_a_failed_retraining_is_tried_again_up_to_the_limit_and_then_says_so() -> None:
    launches = [
        next_retraining([WaitingDecision("batch_w1", tried)], running=False, since_last_s=None, policy=POLICY)
        for tried in range(4)
    ]
    assert [launch.attempt for launch in launches] == [1, 2, 3, 0]
    assert launches[3].batch_ids == ()
    assert launches[3].given_up == ("batch_w1",)
    assert launches[3].reason == "no decision waits; given up after 3 attempts: batch_w1"


def test_a_batch_that_was_given_up_does_not_hold_up_the_others() -> None:
    waiting = [WaitingDecision("batch_w1", 3), WaitingDecision("batch_w2", 0)]
    launch = next_retraining(waiting, running=False, since_last_s=None, policy=POLICY)
    assert (launch.batch_ids, launch.attempt, launch.given_up) == (("batch_w2",), 1, ("batch_w1",))


@pytest.mark.parametrize(
    ("running", "since_last_s", "expected"),
    [
        (True, None, "batch_w1 waits: a retraining is under way"),
        (False, 20.0, "batch_w1 waits: the last retraining ended 20 s ago, the cooldown is 60 s"),
        (False, 60.0, "retraining for batch_w1"),
    ],
)
def test_one_run_at_a_time_with_a_rest_between(running: bool, since_last_s: float | None, expected: str) -> None:
    waiting = [WaitingDecision("batch_w1", 0)]
    launch = next_retraining(waiting, running=running, since_last_s=since_last_s, policy=POLICY)
    assert launch.reason == expected
    assert bool(launch.batch_ids) is expected.startswith("retraining")


def test_nothing_waits() -> None:
    assert next_retraining([], running=False, since_last_s=None, policy=POLICY).reason == "no decision waits"
