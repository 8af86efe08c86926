"""Canaries in every place for a secret: each command, working and failing, and each asset shows none of them."""

import json
import sys
from pathlib import Path

import dagster as dg
import pytest

from cinematch_assets.cli.main import main
from cinematch_assets_tests.support.definitions import run_job
from cinematch_assets_tests.support.platforms import drop_history, make_platform

CANARY = "canary7f3a9"
COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("migrate",),
    ("recommend", "1"),
    ("similar", "1"),
    ("sql", "SELECT 1"),
    ("sql", "SELECT current_setting('port'), inet_server_addr() FROM nowhere"),
    ("models", "list"),
    ("models", "rollback"),
    ("models", "verify", "run_x"),
    ("rejects", "list"),
    ("rejects", "release", "1"),
    ("features", "refit"),
    ("drive", "check"),
    ("drive", "login", "--client-secrets", "client.json", "--no-browser", "--timeout", "1"),
    ("simulate",),
    ("evaluate", "--train", "nowhere.csv", "--test", "nowhere.csv"),
)


def secrets(home: Path) -> dict[str, str]:
    """The environment with a canary in each place for a secret, and the files that it names."""
    (home / "token.json").write_text(
        json.dumps({"token": CANARY, "refresh_token": CANARY, "client_id": "c", "client_secret": CANARY,
                    "token_uri": "http://127.0.0.1:1/token"})
    )  # fmt: skip
    (home / "client.json").write_text(json.dumps({"installed": {"client_id": "c", "client_secret": CANARY}}))
    return {
        "CINEMATCH_HOME": str(home),
        "GOOGLE_TOKEN_FILE": str(home / "token.json"),
        "GOOGLE_DRIVE_ENDPOINT": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": f"AKIA{CANARY}",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_SESSION_TOKEN": CANARY,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_MAX_ATTEMPTS": "1",
    }


def written_below(home: Path) -> list[Path]:
    """Files below the home that hold a canary, those aside that were given one."""
    given = {"token.json", "client.json"}
    return [
        path
        for path in home.rglob("*")
        if path.is_file() and path.name not in given and CANARY.encode() in path.read_bytes()
    ]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("surroundings", ["unreachable", "bad-url", "bad-store"])
def test_no_command_that_fails_shows_one(
    surroundings: str,
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = {
        "unreachable": f"postgresql://{CANARY}:{CANARY}@127.0.0.1:1/db",
        "bad-url": f"postgresql://owner:x@{CANARY}@127.0.0.1:1/db",
        "bad-store": f"postgresql://owner:{CANARY}/x@127.0.0.1/db",
    }[surroundings]
    environment = {**secrets(tmp_path), "CINEMATCH_DATABASE_URL": url, "DAGSTER_POSTGRES_URL": url.replace("/db", "/d")}
    if surroundings == "bad-store":
        environment["CINEMATCH_DATABASE_URL"] = "postgresql://127.0.0.1:1/db"
        environment["CINEMATCH_STORE"] = f"s3://AKIA:{CANARY}@bucket/prefix"
        del environment["DAGSTER_POSTGRES_URL"]
    else:
        environment["CINEMATCH_DRIVE"] = "gdrive:folder"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cinematch", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert ended.value.code not in {None, 0}, shown.out
    assert CANARY not in shown.out + shown.err
    assert "Traceback" not in shown.err
    assert written_below(tmp_path) == []


def test_no_command_that_works_shows_one_and_no_run_writes_one_down(
    tmp_path: Path, database_url_18: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # The embedded server knows its users by the socket, and ignores the password.
    url = database_url_18.replace("postgres:@", f"postgres:{CANARY}@")
    assert CANARY in url
    for name, value in secrets(tmp_path).items():
        monkeypatch.setenv(name, value)
    platform = make_platform(tmp_path / "home", url)
    broken = make_platform(tmp_path / "broken", f"postgresql://{CANARY}:{CANARY}@127.0.0.1:1/db")
    drop_history(platform, users=30, movies=30)
    drop_history(broken, users=30, movies=30)
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:  # its event log is below tmp_path
        assert run_job("load_catalog", platform, instance).success
        assert not run_job("load_catalog", broken, instance).success
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    for words in (("status",), ("status", "--json"), ("sql", "SELECT 1"), ("rejects", "list"), ("models", "list")):
        monkeypatch.setattr(sys, "argv", ["cinematch", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in {None, 0}
    shown = capfd.readouterr()
    assert CANARY not in shown.out + shown.err
    assert any(path.suffix == ".db" for path in (tmp_path / "dagster").rglob("*"))
    assert written_below(tmp_path) == []
