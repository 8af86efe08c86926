import pytest

from cinematch_assets.attempts import next_attempt


@pytest.mark.parametrize(("finished", "number"), [(0, 1), (2, 3)])
def test_a_failed_run_is_followed_by_the_next_attempt(finished: int, number: int) -> None:
    attempt = next_attempt("batch_w1", finished, running=False, limit=3)
    assert (attempt.is_due, attempt.number, attempt.skipped) == (True, number, "")


def test_while_a_run_is_under_way_none_is_due() -> None:
    attempt = next_attempt("batch_w1", 0, running=True, limit=3)
    assert (attempt.is_due, attempt.skipped) == (False, "batch_w1: a run is under way")


def test_after_the_limit_a_person_has_to_start_it() -> None:
    attempt = next_attempt("batch_w1", 3, running=False, limit=3)
    assert (attempt.is_due, attempt.number) == (False, 3)
    assert attempt.skipped == "batch_w1: given up after 3 runs; materialize it by hand to try again"
