from pathlib import Path

import pytest

from cinematch_assets.pipeline.audited_settings import record_setting_changes
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.audit import list_audit_entries
from cinematch_assets_tests.support.platforms import make_platform


def test_defaults_are_no_change(platform: Platform) -> None:
    assert record_setting_changes(platform) == {}


def test_what_decides_about_data_is_recorded_and_nothing_secret(tmp_path: Path, database_url_18: str) -> None:
    chosen = {"CINEMATCH_MERGE": "delete", "CINEMATCH_SEED": "7", "CINEMATCH_STORE": "s3://bucket/here"}
    hidden = {"GCP_SECRET_NAME": "canary-secret", "CINEMATCH_ACTOR": "canary-actor"}
    platform = make_platform(tmp_path / "home", database_url_18, **chosen, **hidden)
    changed = record_setting_changes(platform)
    assert changed == {
        "CINEMATCH_MERGE": ("merge", "delete"),
        "CINEMATCH_SEED": (42, 7),
        "CINEMATCH_STORE": (None, "s3://bucket/here"),
    }
    (entry,) = platform.warehouse.run(list_audit_entries)
    assert entry.subject == str(tmp_path / "home")
    assert entry.details["settings"].keys() >= {"CINEMATCH_MAX_REJECTED_SHARE", "CINEMATCH_DRIVE"}
    assert "canary" not in repr(entry)
    assert platform.settings.warehouse_url is not None
    assert platform.settings.warehouse_url not in repr(entry)
    assert record_setting_changes(platform) == {}


@pytest.mark.parametrize("name", ["x\x1b[2J", "x" * 101])
def test_an_actor_s_name_is_one_printable_line(name: str, tmp_path: Path, database_url_18: str) -> None:
    from cinematch_assets.settings import InvalidSettingError

    with pytest.raises(InvalidSettingError, match="CINEMATCH_ACTOR"):
        make_platform(tmp_path / "home", database_url_18, CINEMATCH_ACTOR=name)
