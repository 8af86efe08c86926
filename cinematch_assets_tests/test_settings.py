from pathlib import Path

import pytest

from cinematch_assets.settings import InvalidSettingError, Settings


def test_without_variables_everything_is_under_the_home() -> None:
    settings = Settings.from_env({})
    home = Path(".cinematch").resolve()
    assert (settings.warehouse_url, settings.folder) == (None, str(home / "drive"))
    assert (settings.store_url, settings.token_path) == (str(home / "store"), home / "token.json")


def test_a_variable_takes_the_default_s_place() -> None:
    settings = Settings.from_env({"CINEMATCH_DRIVE": "gdrive:1aB", "CINEMATCH_STORE": "s3://bucket/prefix"})
    assert (settings.folder, settings.store_url) == ("gdrive:1aB", "s3://bucket/prefix")


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.from_env({"CINEMATCH_HOME": "", "CINEMATCH_SEED": ""}) == Settings.from_env({})


def test_the_warehouse_has_two_names_and_ours_is_the_first() -> None:
    neon = {"NEON_CONNECTION_STRING": "postgresql://neon/a"}
    assert Settings.from_env(neon).warehouse_url == "postgresql://neon/a"
    both = neon | {"CINEMATCH_DATABASE_URL": "postgresql://ours/b"}
    assert Settings.from_env(both).warehouse_url == "postgresql://ours/b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CINEMATCH_MAX_REJECTED_SHARE", "1.5"),
        ("CINEMATCH_SPLIT", "random"),
        ("CINEMATCH_SEED", "-1"),
        ("CINEMATCH_STORAGE_BUDGET_MB", "much"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(InvalidSettingError, match=f"^{name}: ") as refused:
        Settings.from_env({name: value})
    assert value not in str(refused.value).removeprefix(name), "a value may be a secret"


def test_no_url_is_in_the_printed_settings() -> None:
    urls = ("CINEMATCH_DATABASE_URL", "NEON_CONNECTION_STRING", "DAGSTER_POSTGRES_URL")
    shown = repr(Settings.from_env(dict.fromkeys(urls, "postgresql://user:kept-quiet@host/db")))
    assert "kept-quiet" not in shown


def test_host_names_of_the_ui_are_separated_by_commas() -> None:
    assert Settings.from_env({"CINEMATCH_UI_HOSTS": "a.example, b.example,"}).ui_host_names == (
        "a.example",
        "b.example",
    )
