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


@pytest.mark.parametrize("name", ["CINEMATCH_DATABASE_URL", "NEON_CONNECTION_STRING", "DAGSTER_POSTGRES_URL"])
def test_every_database_url_is_normalized_or_refused_by_its_name(name: str) -> None:
    settings = Settings.from_env({name: "postgres://u:p@host/db"})
    assert "postgresql://u:p@host/db" in (settings.warehouse_url, settings.dagster_postgres_url)
    with pytest.raises(InvalidSettingError, match=f"^{name}: an @ stands in .* %40") as refused:
        Settings.from_env({name: "postgresql://u:kept@quiet@host/db"})
    assert not {"kept", "quiet"} & set(str(refused.value).replace("@", " ").split())


@pytest.mark.parametrize("value", ["s3://AKIAKEPT:quiet@bucket/prefix", "AKIAKEPT:quiet@b/p", "//AKIAKEPT@h/x"])
@pytest.mark.parametrize(
    "name",
    ["CINEMATCH_HOME", "CINEMATCH_STORE", "CINEMATCH_DRIVE", "CINEMATCH_BACKUP", "GOOGLE_DRIVE_ENDPOINT",
     "GOOGLE_TOKEN_FILE"],
)  # fmt: skip
def test_credentials_in_an_address_are_refused_unrepeated(name: str, value: str) -> None:
    with pytest.raises(InvalidSettingError, match=f"^{name}: it holds a user or a password") as refused:
        Settings.from_env({name: value})
    assert "AKIAKEPT" not in str(refused.value)


def test_one_database_for_warehouse_and_dagster_is_refused() -> None:
    neon = {"NEON_CONNECTION_STRING": "postgres://owner:a@Host.example/db"}
    with pytest.raises(InvalidSettingError, match="name one database"):
        Settings.from_env(
            neon | {"DAGSTER_POSTGRES_URL": "postgresql+psycopg2://other:b@host.example:5432/db?sslmode=require"}
        )
    Settings.from_env(neon | {"DAGSTER_POSTGRES_URL": "postgresql://owner:a@host.example/dagster"})


def test_no_url_is_in_the_printed_settings() -> None:
    urls = ("CINEMATCH_DATABASE_URL", "NEON_CONNECTION_STRING", "DAGSTER_POSTGRES_URL")
    shown = repr(Settings.from_env({name: f"postgresql://user:kept-quiet@host/{name}" for name in urls}))
    assert "kept-quiet" not in shown


def test_host_names_of_the_ui_are_separated_by_commas() -> None:
    assert Settings.from_env({"CINEMATCH_UI_HOSTS": "a.example, b.example,"}).ui_host_names == (
        "a.example",
        "b.example",
    )
