"""A limit is written down once; the alarms on AWS, which do not import the platform, have the same."""

from datetime import timedelta
from pathlib import Path

import pytest

from cinematch_assets import limits
from cinematch_assets.dagster_support.table_checks import newest_batch, storage_budget

ALARMS = Path(__file__).resolve().parents[1] / "deploy/aws/cinematch_stack/alarms.py"


@pytest.mark.parametrize(
    "line",
    [
        f"MAX_DAYS_SINCE_BATCH = {limits.MAX_BATCH_AGE // timedelta(days=1)}",
        f"MAX_STORAGE_SHARE = {limits.MAX_STORAGE_SHARE}",
    ],
)
def test_the_alarms_have_the_limits_of_the_platform(line: str) -> None:
    assert line in ALARMS.read_text(encoding="utf-8").splitlines()


def test_the_checks_say_the_limits() -> None:
    assert f"{limits.MAX_STORAGE_SHARE:.0%}" in storage_budget().description
    assert f"{limits.MAX_BATCH_AGE.days} days" in newest_batch().description
