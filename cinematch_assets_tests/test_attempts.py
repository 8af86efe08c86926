"""When failed work is tried again, by the cause of its failures."""

from datetime import UTC, datetime, timedelta

import pytest

from cinematch_assets.attempts import MAX_GAP_S, Attempt, Failure, Pending, RetryPolicy, Work, next_attempt
from cinematch_assets.faults import Cause
from cinematch_assets.values import OutstandingWork

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
POLICY = RetryPolicy()
BATCH = Work("batch", "batch_w1", "a" * 32, ("raw_ratings_batch", "ratings_buffer"), advice="correct the file")


def failed(cause: Cause, seconds_ago: float, message: str = "the disk is full") -> Failure:
    return Failure(cause, message, NOW - timedelta(seconds=seconds_ago))


def decide(*failures: Failure, running: bool = False) -> Attempt:
    return next_attempt(failures, running=running, policy=POLICY, now=NOW)


def test_work_that_was_never_tried_is_due() -> None:
    assert decide().is_due


def test_while_a_run_is_under_way_none_is_due() -> None:
    assert not decide(running=True).is_due
    assert not decide(failed(Cause.SURROUNDINGS, 9_000), running=True).is_due


def test_a_fault_of_the_content_is_tried_once() -> None:
    attempt = decide(failed(Cause.CONTENT, 90_000, "ratings.csv: no column rating"))
    assert (attempt.is_due, attempt.given_up, attempt.reason) == (False, True, "ratings.csv: no column rating")


def test_faults_of_the_surroundings_are_never_given_up_and_the_gaps_grow_to_a_quarter_of_an_hour() -> None:
    gaps = []
    for times in range(1, 40):
        attempt = decide(*[failed(Cause.SURROUNDINGS, 0)] * times)
        assert not attempt.given_up
        assert attempt.retry_at is not None
        gaps.append((attempt.retry_at - NOW).total_seconds())
    assert gaps[:7] == [15, 30, 60, 120, 240, 480, 900]
    assert set(gaps[7:]) == {MAX_GAP_S}


@pytest.mark.parametrize(("seconds", "due"), [(14.9, False), (15, True)])
def test_the_next_attempt_is_due_when_the_gap_is_over(seconds: float, due: bool) -> None:
    assert decide(failed(Cause.SURROUNDINGS, seconds)).is_due is due


@pytest.mark.faults("clock")
@pytest.mark.parametrize(("seconds_ago", "due"), [(-3_600, True), (-30, False)])
def test_after_the_clock_was_set_back_nothing_waits_for_the_former_time(seconds_ago: float, due: bool) -> None:
    """Another machine's clock may be ahead by some seconds, and the gap is kept."""
    assert decide(failed(Cause.SURROUNDINGS, seconds_ago)).is_due is due


def test_an_error_that_no_one_foresaw_is_given_up_after_three_runs() -> None:
    for times, given_up in ((1, False), (2, False), (3, True)):
        assert decide(*[failed(Cause.BUG, 9_000)] * times).given_up is given_up
    outages = [failed(Cause.SURROUNDINGS, 9_000)] * 5
    assert decide(*outages, failed(Cause.BUG, 9_000)).is_due


def test_work_is_found_by_a_tag_and_each_of_its_runs_has_a_key() -> None:
    assert BATCH.tag == ("cinematch/batch-batch_w1", "a" * 32)
    assert BATCH.run_key(2) == f"batch_w1:{'a' * 32}:2"
    assert Work("assessment", "batch_w1", "b", ()).run_key(1) == "assessment:batch_w1:b:1"
    assert (Work("movies", "movies", "c", ()).tag, Work("movies", "movies", "c", ()).run_key(1)) == (
        ("cinematch/movies", "c"),
        "movies:c:1",
    )


def row(*failures: Failure, running: bool = False, waits_for: str = "") -> OutstandingWork:
    work = Work(BATCH.kind, BATCH.name, BATCH.content, BATCH.assets, waits_for, BATCH.advice)
    pending = Pending(work, decide(*failures, running=running), 1)
    assert pending.is_due is (not failures and not running and not waits_for)
    return pending.row


def test_each_state_has_its_reason_and_its_next_step() -> None:
    assert (row().state, row(running=True).state) == ("running", "running")
    waiting = row(failed(Cause.SURROUNDINGS, 0))
    assert (waiting.state, waiting.reason, waiting.attempts) == ("waiting", "the disk is full", 1)
    assert waiting.retry_at == NOW + timedelta(seconds=15)
    assert "tried again by itself" in waiting.next_step
    given_up = row(failed(Cause.CONTENT, 0, "no column rating"))
    assert (given_up.state, given_up.reason, given_up.next_step) == ("given_up", "no column rating", "correct the file")
    blocked = row(waits_for="the catalogue is empty")
    assert (blocked.state, blocked.reason, blocked.next_step) == (
        "waiting",
        "the catalogue is empty",
        "correct the file",
    )


def test_a_row_is_the_same_at_the_next_look() -> None:
    fault = failed(Cause.SURROUNDINGS, 0)
    later = next_attempt([fault], running=False, policy=POLICY, now=NOW + timedelta(seconds=10))
    assert BATCH.outstanding(later) == row(fault)
