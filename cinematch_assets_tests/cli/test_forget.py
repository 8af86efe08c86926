"""``cinematch forget`` as a person calls it; what it deletes is claimed in ``pipeline.test_erasure``."""

import json
import sys
from collections.abc import Callable

import pandas as pd
import pytest

from cinematch_assets.cli.main import main
from cinematch_assets.pipeline.monitoring.publish_page import KEY as PAGE
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.warehouse.erasures import begin_erasure
from cinematch_assets_tests.support.platforms import load_table, rows_of

Command = Callable[..., str]


@pytest.fixture
def cinematch(platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("CINEMATCH_HOME", str(platform.settings.home))
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", platform.warehouse.url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(platform.settings.home)

    def run(*words: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["cinematch", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        assert (ended.value.code or 0) == code, output.err
        return output.out if code == 0 else output.err

    return run


@pytest.mark.faults("erasure")
def test_a_person_is_erased_and_the_certificate_is_printed(cinematch: Command, platform: Platform) -> None:
    load_table(platform, "movies", "movieId,title,genres\n2,Heat (1995),Action\n4,Ran (1985),Drama\n")
    rows = [(user, movie, 4.0, 1_234_567_000) for user in (5, 777_000_111) for movie in (2, 4)]
    load_table(platform, "ratings", pd.DataFrame(rows, columns=["userId", "movieId", "rating", "timestamp"]))
    assert "no one was erased here" in cinematch("forget", "--certificate", code=1)
    assert "names a user" in cinematch("forget", "777000111", "--reason", "letter of 777000111", code=1)
    assert "--certificate and --resume" in cinematch("forget", code=1)
    printed = cinematch("forget", "777000111", "--reason", "letter of 3 March")
    assert "letter of 3 March" in printed
    assert "2 ratings" in printed
    assert rows_of(platform, "SELECT DISTINCT userid FROM ratings") == [(5,)]
    assert platform.store.exists(PAGE)
    certificate = json.loads(cinematch("forget", "--certificate", "--json"))
    assert (certificate["people"], certificate["proven"], certificate["steps"]["tables"]["ratings"]) == (1, True, 2)
    assert "777000111" not in json.dumps(certificate)
    assert cinematch("forget", "--certificate") == printed
    assert "erased before" in cinematch("forget", "777000111")
    assert "no erasure was cut off" in cinematch("forget", "--resume")
    assert "complete" not in cinematch("status")


def test_status_and_the_page_show_an_erasure_that_was_cut_off(cinematch: Command, platform: Platform) -> None:
    cinematch("forget", "777000111")
    platform.warehouse.run(begin_erasure, {"0" * 64}, suppression_fingerprint(platform), "asked for", platform.actor)
    assert "is not complete (no step is done)" in " ".join(cinematch("status").split())
    assert "1 thing needs attention" in cinematch("report")
    cinematch("forget", "--resume")
    assert "not complete" not in cinematch("status")


def suppression_fingerprint(platform: Platform) -> str:
    ((found,),) = rows_of(platform, "SELECT DISTINCT key_fingerprint FROM ops.suppressed_users")
    return str(found)
