"""``backup`` and ``restore`` as typed: what they print, and that a trial changes nothing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cinematch_assets.cli.main import app
from cinematch_assets.pipeline.backups import NoBackupError
from cinematch_assets_tests.support.platforms import load_table, make_platform, rows_of
from cinematch_assets_tests.support.servers import Postgres, short_folder

pytestmark = pytest.mark.faults("backup")


def test_backup_trial_and_restore(
    database_url_18: str, postgres18: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = str(tmp_path / "backups")
    with short_folder() as home, postgres18.database() as empty:
        platform = make_platform(home / "h", database_url_18)
        load_table(platform, "movies", "movieId,title,genres\n1,Heat (1995),Crime\n")
        monkeypatch.setenv("CINEMATCH_HOME", str(home / "h"))
        monkeypatch.setenv("CINEMATCH_DATABASE_URL", database_url_18)
        monkeypatch.setenv("CINEMATCH_ACTOR", "Ada")
        said = CliRunner().invoke(app, ["backup", target, "--check"], catch_exceptions=False)
        assert said.exit_code == 0
        assert "MB copied" in said.stdout
        assert "restored into a scratch server: equal rows, all objects" in said.stdout
        tried = CliRunner().invoke(app, ["restore", target, "--check"], catch_exceptions=False)
        assert "into a scratch server, which is deleted again" in tried.stdout
        monkeypatch.setenv("CINEMATCH_HOME", str(home / "new"))
        monkeypatch.setenv("CINEMATCH_DATABASE_URL", empty)
        done = json.loads(
            CliRunner().invoke(app, ["restore", target, "--reason", "a drill", "--json"], catch_exceptions=False).stdout
        )
        assert (done["champion"], done["warnings"]) == ("none", [])
        (restored,) = rows_of(make_platform(home / "look", empty), "SELECT title FROM movies")
        assert restored == ("Heat (1995)",)


def test_a_place_without_backups_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path))
    with pytest.raises(NoBackupError, match="cinematch backup makes one"):
        CliRunner().invoke(app, ["restore", str(tmp_path / "nothing")], catch_exceptions=False)
