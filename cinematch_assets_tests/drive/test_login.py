import json
import stat
import threading
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from cinematch_assets.drive.folder import DriveError, TokenError
from cinematch_assets.drive.login import SignedIn, push_token, sign_in, store_token
from cinematch_assets.drive.token import TokenFile, TokenSecret
from cinematch_assets_tests.support.drive_server import CLIENT_SECRET, READONLY, DriveServer


class Browser:
    """Opens an address as a browser does, and follows redirects."""

    def __init__(self, on_the_way: Callable[[str], str] = lambda url: url) -> None:
        self.on_the_way = on_the_way
        self.parameters: dict[str, list[str]] = {}
        self.page = ""
        self.thread = threading.Thread(target=lambda: None)

    def open(self, url: str, **_: object) -> bool:
        self.parameters = parse_qs(urlsplit(url).query)
        self.thread = threading.Thread(target=self._visit, args=(self.on_the_way(url),))
        self.thread.start()
        return True

    def _visit(self, url: str) -> None:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  (on loopback)
            self.page = answer.read().decode()


@pytest.fixture
def secrets_file(drive: DriveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # Google is on loopback here
    path = tmp_path / "client_secret.json"
    path.write_text(json.dumps(drive.read_client_secrets()))
    return path


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    browser = Browser()
    monkeypatch.setattr(webbrowser, "get", lambda *_: browser)
    return browser


def test_consent_gives_a_token_its_account_and_the_folder(
    drive: DriveServer, secrets_file: Path, browser: Browser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drive.add_folder(None, "Shared CineMatch")
    signed_in = sign_in(secrets_file, folder, endpoint=drive.url)
    browser.thread.join()
    assert (signed_in.account, signed_in.folder) == ("owner@example.org", "Shared CineMatch")
    assert "You can close this window" in browser.page
    assert browser.parameters["scope"] == [READONLY]
    assert browser.parameters["code_challenge_method"] == ["S256"]
    assert urlsplit(browser.parameters["redirect_uri"][0]).hostname == "127.0.0.1"
    store_token(signed_in.token, tmp_path / "home" / "token.json")
    assert stat.S_IMODE((tmp_path / "home" / "token.json").stat().st_mode) == 0o600
    stored = TokenFile(tmp_path / "home" / "token.json").read()
    assert stored["refresh_token"] in drive.refresh_tokens
    assert stored["granted_at"]
    assert stored["account"] == "owner@example.org"
    assert CLIENT_SECRET not in f"{signed_in!r}{capsys.readouterr()}"


def test_the_end_of_a_testing_token_is_stored(drive: DriveServer, secrets_file: Path, browser: Browser) -> None:
    drive.refresh_token_expires_in = 604_799
    signed_in = sign_in(secrets_file, None, endpoint=drive.url)
    browser.thread.join()
    assert signed_in.folder is None
    assert signed_in.token["ends_at"] > signed_in.token["granted_at"]


def test_the_account_that_cannot_see_the_folder_is_refused(
    drive: DriveServer, secrets_file: Path, browser: Browser
) -> None:
    with pytest.raises(DriveError, match="This Google account cannot see gdrive:no-such-folder"):
        sign_in(secrets_file, "no-such-folder", endpoint=drive.url)
    browser.thread.join()


def test_a_refusal_in_the_browser_is_an_error(drive: DriveServer, secrets_file: Path, browser: Browser) -> None:
    drive.scope = ""
    with pytest.raises(TokenError, match=r"did not grant reading Drive \(.*access_denied"):
        sign_in(secrets_file, None, endpoint=drive.url)
    browser.thread.join()


def test_granting_another_scope_is_an_error(drive: DriveServer, secrets_file: Path, browser: Browser) -> None:
    drive.scope = "https://www.googleapis.com/auth/userinfo.email"
    with pytest.raises(TokenError, match=r"did not grant reading Drive \(Scope has changed"):
        sign_in(secrets_file, None, endpoint=drive.url)
    browser.thread.join()


def test_an_answer_with_another_state_is_refused(drive: DriveServer, secrets_file: Path, browser: Browser) -> None:
    def forged(url: str) -> str:
        redirect = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        return f"{redirect}?{urlencode({'state': 'of-another-person', 'code': '4/stolen'})}"

    browser.on_the_way = forged
    with pytest.raises(TokenError, match=r"\(mismatching_state"):
        sign_in(secrets_file, None, endpoint=drive.url)
    browser.thread.join()
    assert drive.token_requests == 0


def test_a_code_without_its_verifier_gives_nothing(drive: DriveServer, secrets_file: Path, browser: Browser) -> None:
    # Google checks PKCE; the test server does too, so this shows that the verifier is sent.
    def challenge_of_another(url: str) -> str:
        return url.replace("code_challenge=", "code_challenge=x")

    browser.on_the_way = challenge_of_another
    with pytest.raises(TokenError, match=r"\(invalid_grant"):
        sign_in(secrets_file, None, endpoint=drive.url)
    browser.thread.join()


def test_without_an_answer_from_the_browser_sign_in_ends_after_the_timeout(
    drive: DriveServer, secrets_file: Path
) -> None:
    with pytest.raises(TokenError, match="No answer came from the browser within 1 s"):
        sign_in(secrets_file, None, endpoint=drive.url, open_browser=False, timeout_s=1)


def test_without_a_browser_the_address_is_printed(
    drive: DriveServer, secrets_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(*_: object) -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    with pytest.raises(TokenError, match="No answer came"):
        sign_in(secrets_file, None, endpoint=drive.url, timeout_s=1)
    assert f"{drive.url}/o/oauth2/auth?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "There is no .*client.json: download"),
        ("{}", "holds no client secrets"),
        ("x", "holds no client secrets"),
    ],
)
def test_a_file_without_client_secrets_is_named(tmp_path: Path, content: str | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "client.json").write_text(content)
    with pytest.raises(TokenError, match=complaint):
        sign_in(tmp_path / "client.json", None)


def test_storing_again_replaces_the_token_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "token.json"
    path.write_text("old")
    path.chmod(0o644)
    store_token({"a": 1}, path)
    assert json.loads(path.read_text()) == {"a": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_pushed_token_is_what_the_task_reads(
    drive: DriveServer, secrets_file: Path, browser: Browser, aws: str
) -> None:
    signed_in: SignedIn = sign_in(secrets_file, None, endpoint=drive.url)
    browser.thread.join()
    push_token(signed_in.token, "cinematch/pushed")
    assert TokenSecret("cinematch/pushed").read() == signed_in.token
