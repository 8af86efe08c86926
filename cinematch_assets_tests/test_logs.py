import logging

import pytest

from cinematch_assets.logs import log_phase

LOG = logging.getLogger("cinematch_assets.test")


def test_a_phase_is_one_line_with_its_duration(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="cinematch_assets"), log_phase(LOG, "read ratings.csv"):
        pass
    assert caplog.messages == ["read ratings.csv: 0.0 s"]


def test_a_phase_that_fails_names_the_error_and_raises_it(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, logger="cinematch_assets"),
        pytest.raises(ValueError, match="no rows"),
        log_phase(LOG, "read ratings.csv"),
    ):
        raise ValueError("no rows")
    assert caplog.messages == ["read ratings.csv: ended by ValueError after 0.0 s"]
