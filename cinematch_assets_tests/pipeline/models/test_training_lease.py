"""Two platforms on one warehouse: one trains, the other says who does."""

import pytest

from cinematch_assets.pipeline.models import training_lease
from cinematch_assets.pipeline.models.training_lease import (
    RETRAINING,
    AnsweredMeanwhileError,
    hold_training_lease,
    require_waiting,
)
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.leases import LeaseHeldError, find_lease
from cinematch_assets_tests.support.warehouse_rows import assess, load, make_ratings, md5_of, merge_batch


def test_while_one_run_trains_another_is_told_who_does(platform: Platform) -> None:
    with hold_training_lease(platform, "run1"):
        holder = f"under way by .*{platform.settings.home.resolve()}.*, run run1"
        with pytest.raises(LeaseHeldError, match=holder), hold_training_lease(platform, "run2"):
            pytest.fail("both train")
        with hold_training_lease(platform, "run1"):
            pass
    with hold_training_lease(platform, "run2"):
        pass


def test_a_run_keeps_the_lease_for_its_next_step_unless_it_failed(platform: Platform) -> None:
    with hold_training_lease(platform, "run1", keep=True):
        pass
    assert platform.warehouse.run(find_lease, RETRAINING) is not None
    with hold_training_lease(platform, "run1"):
        pass
    assert platform.warehouse.run(find_lease, RETRAINING) is None
    with pytest.raises(ZeroDivisionError), hold_training_lease(platform, "run1", keep=True):
        raise ZeroDivisionError
    assert platform.warehouse.run(find_lease, RETRAINING) is None


def test_the_lease_is_renewed_while_the_work_lasts(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_lease, "LEASE_S", 0.4)
    monkeypatch.setattr(training_lease, "_RENEWED_EVERY_S", 0.05)
    with hold_training_lease(platform, "run1"):
        training_lease.threading.Event().wait(1.2)
        assert platform.warehouse.run(find_lease, RETRAINING) is not None


def test_a_run_whose_decisions_were_answered_meanwhile_trains_nothing(platform: Platform) -> None:
    with platform.warehouse.connect() as connection:
        for batch in ("w1", "w2"):
            load(connection, batch, make_ratings((1, 10, 4.0, 1)))
            assess(connection, batch, due=True)
        require_waiting(platform, {"w1": md5_of("a"), "w2": md5_of("a")})
        require_waiting(platform, {})
        merge_batch(connection, "w1")
    require_waiting(platform, {"w1": md5_of("a"), "w2": md5_of("a")})
    with pytest.raises(AnsweredMeanwhileError, match="retraining for w1 was answered by another run"):
        require_waiting(platform, {"w1": md5_of("a")})
