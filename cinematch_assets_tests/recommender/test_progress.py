import logging

import pytest

from cinematch_assets.recommender.progress import log_phase

logger = logging.getLogger(__name__)


def test_a_phase_is_logged_at_its_start_and_with_its_time_at_its_end(caplog):
    with caplog.at_level(logging.INFO), log_phase(logger, "counting %d rows", 5):
        assert [record.getMessage() for record in caplog.records] == ["counting 5 rows"]
    assert caplog.records[-1].getMessage() == "counting 5 rows: done in 0.0 s"


def test_a_phase_that_fails_is_not_logged_as_done(caplog):
    with caplog.at_level(logging.INFO), pytest.raises(ValueError, match="no"), log_phase(logger, "counting"):
        raise ValueError("no")
    assert [record.getMessage() for record in caplog.records] == ["counting"]
