"""Get a person's consent to read Drive, and store the token where the platform reads it.

Here: the consent in the browser, ``token.json``, the AWS secret. Not here: using a token (``drive.token``).
"""

import json
import webbrowser
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import InstalledAppFlow, WSGITimeoutError
from oauthlib.oauth2 import OAuth2Error  # type: ignore[import-untyped]  # ships no types

from cinematch_assets.drive.folder import TokenError
from cinematch_assets.drive.google_client import GoogleClient
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.token import SCOPE, DriveCredentials, Token, secrets_manager, silence_libraries
from cinematch_assets.storage.atomic_file import write_atomically

_PROMPT = "Open this address in a browser on this machine, and agree:\n\n{url}\n"
_DONE = "CineMatch may now read the folder. You can close this window."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An account that consented, and what it can see."""

    account: str
    folder: str | None
    """The name of the folder; None when CINEMATCH_DRIVE names none in Google Drive."""
    token: Token
    """Secret: left out of the representation, so that it is never printed."""

    def __repr__(self) -> str:
        return f"SignedIn(account={self.account!r}, folder={self.folder!r})"


class _GrantedToken:
    """A token that is not stored yet, as a ``TokenSource``."""

    where = "your browser"

    def __init__(self, token: Token) -> None:
        self._token = token

    def read(self) -> Token:
        return self._token


def sign_in(
    client_secrets: Path,
    folder_id: str | None,
    *,
    endpoint: str | None = None,
    open_browser: bool = True,
    timeout_s: int = 300,
) -> SignedIn:
    """Let a person consent in the browser, and check what the account can see; nothing is stored.

    The answer comes to a port of this machine, with state and PKCE, so that an answer to another request is refused.

    Raises:
        TokenError: The person did not consent, or not to reading Drive.
        DriveError: The account cannot see the folder.
    """
    granted = _ask_for_consent(client_secrets, open_browser=open_browser, timeout_s=timeout_s)
    client = GoogleClient(DriveCredentials(_GrantedToken(granted)), endpoint=endpoint)
    account = read_account(client)
    folder = GoogleFolder(folder_id, client).read_name() if folder_id else None
    return SignedIn(account=account, folder=folder, token=granted | {"account": account})


def read_account(client: GoogleClient) -> str:
    """Return the account's e-mail address, or its name."""
    user = client.call(client.about.get, fields="user(displayName,emailAddress)")["user"]
    return str(user.get("emailAddress") or user.get("displayName"))


def store_token(token: Token, path: Path) -> None:
    """Write the token atomically, readable by its owner alone (mode 0600)."""
    write_atomically(path, [json.dumps(token).encode()], mode=0o600)


def push_token(token: Token, secret_name: str) -> str:
    """Store the token in AWS Secrets Manager; return ``created`` or ``new version``.

    Raises:
        TokenError: AWS refuses.
        UnreachableError: AWS does not answer.
    """
    text = json.dumps(token)
    with secrets_manager(secret_name) as secrets:
        try:
            secrets.put_secret_value(SecretId=secret_name, SecretString=text)
        except secrets.exceptions.ResourceNotFoundException:
            secrets.create_secret(
                Name=secret_name, SecretString=text, Description="Google token with which CineMatch reads its folder"
            )
            return "created"
    return "new version"


def _ask_for_consent(client_secrets: Path, *, open_browser: bool, timeout_s: int) -> Token:
    flow = _flow(client_secrets)
    try:
        with silence_libraries():
            credentials = flow.run_local_server(
                host="127.0.0.1",
                port=0,
                open_browser=open_browser and _has_browser(),
                authorization_prompt_message=_PROMPT,
                success_message=_DONE,
                timeout_seconds=timeout_s,
                access_type="offline",
                prompt="consent",
            )
    except WSGITimeoutError:
        raise TokenError(f"No answer came from the browser within {timeout_s} s: run the command again.") from None
    except (OAuth2Error, Warning) as fault:  # oauthlib raises a Warning when less is granted than asked for
        reason = str(fault).splitlines()[0][:200]
        raise TokenError(f"Google did not grant reading Drive ({reason}): accept every permission it lists.") from None
    except requests.RequestException as fault:
        raise TokenError(f"Google cannot be reached to get the token ({type(fault).__name__}).") from None
    return _with_times(credentials, flow.oauth2session.token)


def _flow(client_secrets: Path) -> InstalledAppFlow:
    try:
        return InstalledAppFlow.from_client_secrets_file(str(client_secrets), scopes=[SCOPE])
    except FileNotFoundError:
        raise TokenError(
            f"There is no {client_secrets}: download the client secrets of a desktop app from Google's console."
        ) from None
    except (ValueError, KeyError):
        raise TokenError(f"{client_secrets} holds no client secrets of a desktop app.") from None


def _with_times(credentials: Credentials, answer: dict[str, Any]) -> Token:
    """Add to Google's format when the token was granted, and when it ends if Google's answer has that."""
    if not credentials.refresh_token:
        raise TokenError(
            "Google granted no lasting token: remove the app from the account's permissions and try again."
        )
    now = datetime.now(tz=UTC)
    token: Token = json.loads(credentials.to_json()) | {"granted_at": now.isoformat(timespec="seconds")}
    lifetime_s = answer.get("refresh_token_expires_in")
    if lifetime_s:
        token["ends_at"] = (now + timedelta(seconds=int(lifetime_s))).isoformat(timespec="seconds")
    return token


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
