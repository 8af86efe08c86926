"""When to retrain: the decision on a batch, and whether a run is started now."""

from datetime import UTC, datetime

import pytest

from cinematch_assets.attempts import Attempt, Pending, Work
from cinematch_assets.retraining import (
    NO_RATINGS,
    BatchFacts,
    Decision,
    Evidence,
    Request,
    RetrainingPolicy,
    decisions_of,
    hold_back,
    is_outgrown,
    missing_model,
    missing_recommendations,
    retraining_decision,
    retraining_request,
    retraining_work,
)
from cinematch_assets.values import WaitingDecision

POLICY = RetrainingPolicy()
CALM = Evidence("rating_std", 0.02, 0.15, 0.03)
MOVED = Evidence("rating_distribution_ks", 0.133, 0.05, 0.061)
USUAL = Evidence("rating_mean", 0.121, 0.10, 0.15)


def decide(*evidence: Evidence, rows: int = 43_000, unseen: int = 43_000, trained: int = 700_000) -> Decision:
    return retraining_decision(BatchFacts("batch_w3", rows, evidence, unseen, trained), POLICY)


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


def pending(work: Work | None, **attempt: object) -> Pending:
    assert work is not None
    values: dict[str, object] = {"failures": 0, "is_due": True, "reason": ""} | attempt
    return Pending(work, Attempt(**values), 1 + int(str(values["failures"])))


def decided(batch: str, **attempt: object) -> Pending:
    decision = WaitingDecision(int(batch[-1]), batch, batch.ljust(32, "0"), "drift")
    return pending(retraining_work(decision), **attempt)


def model(*, champion: str | None = None, waits_for: str = "", **attempt: object) -> Pending:
    work = missing_model(champion, readable=False, model_format=4, data="d1", waits_for=waits_for)
    return pending(work, **attempt)


def recommendations(**attempt: object) -> Pending:
    return pending(missing_recommendations("run_2_v1", readable=True, recommended="run_1_v1"), **attempt)


GIVEN_UP: dict[str, object] = {"is_due": False, "given_up": True, "failures": 1, "reason": "constant ratings"}
SOON = {"is_due": False, "failures": 1, "reason": "the disk is full", "retry_at": datetime.now(UTC)}


def request(*work: Pending) -> Request:
    chosen = retraining_request(hold_back(work, policy=POLICY))
    assert chosen is not None
    return chosen


def test_all_due_decisions_share_one_run() -> None:
    chosen = request(decided("batch_w1"), decided("batch_w2", failures=1))
    assert chosen.reason == "retraining for batch_w1, batch_w2"
    assert chosen.run_key.endswith(":2")
    assert decisions_of(chosen.tags) == {"batch_w1": "batch_w1".ljust(32, "0"), "batch_w2": "batch_w2".ljust(32, "0")}
    assert chosen.assets == ()


def test_a_decision_that_was_given_up_or_has_to_wait_does_not_hold_up_the_others() -> None:
    assert request(decided("batch_w1", **GIVEN_UP), decided("batch_w2")).reason == "retraining for batch_w2"
    assert request(decided("batch_w1", **SOON), decided("batch_w2")).reason == "retraining for batch_w2"
    assert retraining_request([decided("batch_w1", **GIVEN_UP)]) is None
    assert retraining_request([]) is None


def test_the_run_key_of_decisions_depends_on_content_and_attempt() -> None:
    first = request(decided("batch_w1")).run_key
    assert first == request(decided("batch_w1")).run_key
    others = (request(decided("batch_w1", failures=1)), request(decided("batch_w1"), decided("batch_w2")))
    assert len({first, *(each.run_key for each in others)}) == 3


@pytest.mark.faults("clock")
def test_there_is_a_rest_between_two_retrainings_and_none_once_the_clock_was_set_back() -> None:
    for since_last_s, waits in ((None, False), (20.0, True), (60.0, False), (-3_600.0, False)):
        (held,) = hold_back([decided("batch_w1")], since_last_s=since_last_s, policy=POLICY)
        assert held.is_due is not waits
        assert (held.row.state == "waiting") is waits
    assert "60 s ago" in hold_back([decided("batch_w1")], since_last_s=20.0, policy=POLICY)[0].row.reason


def test_nothing_is_missing_when_the_recommendations_are_by_the_champion() -> None:
    assert missing_model("run_1_v1", readable=True, model_format=4, data="d1") is None
    assert missing_recommendations("run_1_v1", readable=True, recommended="run_1_v1") is None
    assert missing_recommendations(None, readable=False, recommended=None) is None


@pytest.mark.parametrize(
    ("missing", "key", "assets"),
    [
        (model(), "model:first:d1:1", ()),
        (model(champion="run_1_v1"), "model:run_1_v1:format4:d1:1", ()),
        (recommendations(), "recommendations:run_2_v1:1", ("recommendations",)),
    ],
)
def test_what_is_missing_is_requested_before_any_decision(missing: Pending, key: str, assets: tuple[str, ...]) -> None:
    chosen = request(missing, decided("batch_w1"))
    assert (chosen.run_key, chosen.assets) == (key, assets)
    assert chosen.tags == dict([missing.work.tag])  # by which the next tick counts this run


@pytest.mark.parametrize("missing", [model(**GIVEN_UP), recommendations(**GIVEN_UP), recommendations(**SOON)])
def test_a_dead_end_stops_nothing_else(missing: Pending) -> None:
    assert request(missing, decided("batch_w1")).reason == "retraining for batch_w1"
    assert missing.row.state in {"given_up", "waiting"}


def test_recommendations_are_made_while_a_model_is_given_up() -> None:
    assert request(model(champion="run_1_v1", **GIVEN_UP), recommendations()).assets == ("recommendations",)


def test_a_decision_waits_for_the_model_that_answers_it() -> None:
    held = hold_back([model(**SOON), decided("batch_w1")], policy=POLICY)
    assert retraining_request(held) is None
    assert held[1].row.reason == "a model is trained first, which answers it"


def test_without_ratings_no_model_is_trained_and_the_row_says_what_to_do() -> None:
    waiting = model(waits_for=NO_RATINGS)
    assert retraining_request([waiting]) is None
    assert (waiting.row.state, waiting.row.next_step) == ("waiting", "put movies.csv and ratings.csv into the folder")


def test_what_blocks_all_is_the_reason_of_each_row() -> None:
    held = hold_back([model(), recommendations(), decided("batch_w1")], blocked="upgrade first", policy=POLICY)
    assert retraining_request(held) is None
    assert {each.row.reason for each in held} == {"upgrade first"}


@pytest.mark.parametrize(
    ("rows", "most_trained", "outgrown"), [(115, 100, True), (114, 100, False), (50, 100, False), (500, 0, False)]
)
def test_ratings_outgrow_the_models_by_the_share_that_makes_retraining_due(
    rows: int, most_trained: int, outgrown: bool
) -> None:
    assert is_outgrown(rows, most_trained, 0.15) == outgrown


def test_an_outgrown_model_is_asked_for_once_a_content() -> None:
    work = missing_model("run_1_v1", readable=True, model_format=4, data="d", outgrown=True)
    assert work is not None
    assert work.content == "run_1_v1:outgrown:d"
    assert missing_model("run_1_v1", readable=True, model_format=4, data="d") is None
