"""Errors that no one foresaw have an entry with their traceback, wherever it can be written, and no secrets."""

import stat
from pathlib import Path

import pytest

from cinematch_assets.cli import error_log
from cinematch_assets.cli.error_log import write_entry


def _fail(text: str) -> None:
    raise TypeError(text)


def failed(text: str = "no such column") -> Exception:
    """An error with a traceback."""
    try:
        _fail(text)
    except TypeError as error:
        return error


def test_an_entry_is_found_by_its_id_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sys.argv", ["cinematch", "sql", "SELECT 'private'"])
    where = write_entry(failed())
    log = tmp_path / "home" / "logs" / "errors.log"
    assert where.endswith(f" of {log}")
    text = log.read_text()
    assert f"{where.removesuffix(f' of {log}')}: cinematch sql\nTraceback" in text
    assert "in _fail\n    raise TypeError(text)\nTypeError: no such column" in text
    assert "private" not in text
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_passwords_in_urls_are_taken_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path))
    write_entry(failed("at postgresql://owner:s3cret@host/db"))
    text = (tmp_path / "logs" / "errors.log").read_text()
    assert "s3cret" not in text
    assert "postgresql://…@host/db" in text


def test_where_the_home_cannot_be_written_it_is_in_the_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    where = write_entry(failed())
    (log,) = (tmp_path / "temporary").iterdir()
    assert where.endswith(f" of {log}")
    assert "TypeError: no such column" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_where_nothing_can_be_written_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "errors.log").symlink_to("/dev/full")
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    assert write_entry(failed()) == "lost, since no log can be written: No such file or directory"


def test_the_log_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path))
    monkeypatch.setattr(error_log, "MAX_BYTES", 5_000)
    for _ in range(50):
        write_entry(failed())
    logs = sorted((tmp_path / "logs").iterdir())
    assert [log.name for log in logs] == ["errors.log", "errors.log.1"]
    assert all(log.stat().st_size <= 5_000 for log in logs)
