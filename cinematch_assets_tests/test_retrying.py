"""When work that failed is tried again."""

import pytest

from cinematch_assets.faults import Cause
from cinematch_assets.retrying import FailedRun, next_attempt


def failed(cause: Cause, *ended_s_ago: float) -> list[FailedRun]:
    return [FailedRun(cause, each) for each in ended_s_ago]


def test_new_work_is_due_at_once() -> None:
    assert next_attempt("batch_w1", [], running=False).is_due
    assert next_attempt("batch_w1", [], running=False).number == 1


def test_one_run_at_a_time() -> None:
    assert next_attempt("batch_w1", [], running=True).skipped == "batch_w1: a run is under way"


def test_a_fault_of_the_content_is_tried_once() -> None:
    attempt = next_attempt("batch_w1", failed(Cause.CONTENT, 1e6), running=False)
    assert attempt.given_up
    assert "when the content changes" in attempt.skipped


@pytest.mark.parametrize(("failures", "gap_s"), [(1, 15), (2, 30), (3, 60), (6, 480), (7, 900), (50, 900)])
def test_an_outage_waits_with_growing_gaps_and_is_never_given_up(failures: int, gap_s: float) -> None:
    runs = failed(Cause.SURROUNDINGS, *[gap_s - 1 + 1_000 * n for n in range(failures)])
    waiting = next_attempt("batch_w1", runs, running=False)
    assert (waiting.is_due, waiting.given_up) == (False, False)
    over = failed(Cause.SURROUNDINGS, *[gap_s + 1_000 * n for n in range(failures)])
    assert next_attempt("batch_w1", over, running=False).is_due


def test_an_unforeseen_error_gets_three_runs() -> None:
    assert next_attempt("batch_w1", failed(Cause.BUG, 1e6, 1e6), running=False).is_due
    assert next_attempt("batch_w1", failed(Cause.BUG, 1e6, 1e6, 1e6), running=False).given_up


def test_outages_do_not_use_up_the_runs_of_a_bug() -> None:
    runs = failed(Cause.SURROUNDINGS, *[1e6] * 10) + failed(Cause.BUG, 1e6, 1e6)
    assert next_attempt("batch_w1", runs, running=False).is_due
