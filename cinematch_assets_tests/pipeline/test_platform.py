"""The platform as the settings name it."""

from pathlib import Path

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings


def test_folder_and_store_are_under_the_home_unless_named(tmp_path: Path, database_url_18: str) -> None:
    home = tmp_path / "home"
    settings = Settings.from_env({"CINEMATCH_HOME": str(home), "CINEMATCH_DATABASE_URL": database_url_18})
    platform = Platform.open(settings)
    assert Path(platform.folder.spec).resolve() == (home / "drive").resolve()
    assert (home / "drive").is_dir()
    platform.store.put_bytes("reports/x", b"1")
    assert home.resolve() in Path(platform.store.uri("reports/x").removeprefix("file://")).parents


def test_a_named_folder_is_not_made(tmp_path: Path, database_url_18: str) -> None:
    folder = tmp_path / "dropped"
    folder.mkdir()
    settings = Settings.from_env(
        {
            "CINEMATCH_HOME": str(tmp_path / "home"),
            "CINEMATCH_DATABASE_URL": database_url_18,
            "CINEMATCH_DRIVE": str(folder),
        }
    )
    assert Path(Platform.open(settings).folder.spec).resolve() == folder.resolve()
    assert not (tmp_path / "home" / "drive").exists()
