import os
import tempfile
from pathlib import Path

import pytest

from cinematch_assets.warehouse.server_account import ROOTS_ACCOUNT, ServerAccountError, account_of


def test_everyone_s_server_runs_as_they_do_and_root_s_as_another_user(tmp_path: Path) -> None:
    account = account_of(tmp_path / "none")
    if os.geteuid() == 0:
        assert (account.name, account.is_other) == (ROOTS_ACCOUNT, True)
    else:
        assert (account.uid, account.is_other) == (os.geteuid(), False)


def test_programs_run_as_the_account_without_this_process_s_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", "postgresql://u:canary@h/d")
    account = account_of(Path("/nowhere"))
    printed = account.run(["/bin/sh", "-c", "id -u; env"], timeout_s=30).stdout
    assert printed.splitlines()[0] == str(account.uid)
    assert "canary" not in printed


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(ServerAccountError, match="/nowhere/initdb: cannot be run"):
        account_of(Path("/nowhere")).run(["/nowhere/initdb"], timeout_s=30)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_the_first_closed_folder_on_the_way_is_named() -> None:
    with tempfile.TemporaryDirectory() as top:
        below = Path(top) / "a" / "b"
        below.mkdir(parents=True)
        with pytest.raises(ServerAccountError, match=f"^{top}: user {ROOTS_ACCOUNT}.*: set it$"):
            account_of(below / "none").require_access(below, "set it")
