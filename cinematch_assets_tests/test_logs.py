import logging

import pytest

from cinematch_assets.logs import log_phase

LOG = logging.getLogger("cinematch_assets.test")


def test_a_phase_is_logged_when_it_begins_and_when_it_is_done(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), log_phase(LOG, "counting %d rows", 5):
        assert caplog.messages == ["counting 5 rows"]
    assert caplog.messages[1:] == ["counting 5 rows: done in 0.0 s"]


def test_a_phase_that_fails_names_the_error_and_raises_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(ValueError, match="no rows"), log_phase(LOG, "counting"):
        raise ValueError("no rows")
    assert caplog.messages == ["counting", "counting: ended by ValueError after 0.0 s"]


def test_a_percent_sign_in_a_name_is_no_format(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), log_phase(LOG, "land batches/50%d.csv"):
        pass
    assert caplog.messages[0] == "land batches/50%d.csv"
