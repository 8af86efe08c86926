"""Getting a person's consent to read Drive, and putting the token where the platform reads it.

Here: the consent in the browser, ``token.json``, the AWS secret. Not here: using a token (``token``).
"""

import json
import os
import uuid
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
from cinematch_assets.drive.token import SCOPE, DriveCredentials, Token, asking_aws, quiet
from cinematch_assets.storage.atomic_file import explained

_PROMPT = "Open this address in a browser on this machine, and agree:\n\n{url}\n"
_GOODBYE = "CineMatch may now read the folder. You can close this window."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose account it is, and what it can see."""

    account: str
    folder: str | None
    """The name of the folder; None when CINEMATCH_DRIVE names none in Google Drive."""
    token: Token
    """Secret: never printed, which is why it is no part of the representation."""

    def __repr__(self) -> str:
        return f"SignedIn(account={self.account!r}, folder={self.folder!r})"


class _JustGranted:
    """The token of a moment ago, not stored yet."""

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
    """Let a person consent in the browser, and see what that allows; nothing is stored.

    Consent comes back to a port of this machine, with state and PKCE, so that nobody else's answer is taken.

    Raises:
        TokenError: no consent, or not to reading Drive.
        DriveError: the account cannot see the folder.
    """
    granted = _consented(client_secrets, open_browser=open_browser, timeout_s=timeout_s)
    client = GoogleClient(DriveCredentials(_JustGranted(granted)), endpoint=endpoint)
    account = whose(client)
    folder = GoogleFolder(folder_id, client).name() if folder_id else None
    return SignedIn(account=account, folder=folder, token=granted | {"account": account})


def whose(client: GoogleClient) -> str:
    """Give the account's address."""
    user = client.ask(client.about.get, fields="user(displayName,emailAddress)")["user"]
    return str(user.get("emailAddress") or user.get("displayName"))


def store_token(token: Token, path: Path) -> None:
    """Write the token for its owner's eyes only (mode 0600), whole or not at all."""
    unfinished = path.with_name(f".{uuid.uuid4().hex}.unfinished")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(token, file)
                file.flush()
                os.fsync(descriptor)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def push_token(token: Token, secret_name: str) -> str:
    """Put the token into AWS Secrets Manager; say whether the secret was ``created`` or got a ``new version``.

    Raises:
        TokenError: AWS refuses.
        UnreachableError: AWS does not answer.
    """
    text = json.dumps(token)
    with asking_aws(secret_name) as secrets:
        try:
            secrets.put_secret_value(SecretId=secret_name, SecretString=text)
        except secrets.exceptions.ResourceNotFoundException:
            secrets.create_secret(
                Name=secret_name, SecretString=text, Description="Google token with which CineMatch reads its folder"
            )
            return "created"
    return "new version"


def _consented(client_secrets: Path, *, open_browser: bool, timeout_s: int) -> Token:
    flow = _flow(client_secrets)
    try:
        with quiet():
            credentials = flow.run_local_server(
                host="127.0.0.1",
                port=0,
                open_browser=open_browser and _has_browser(),
                authorization_prompt_message=_PROMPT,
                success_message=_GOODBYE,
                timeout_seconds=timeout_s,
                access_type="offline",
                prompt="consent",
            )
    except WSGITimeoutError:
        raise TokenError(f"Nobody agreed within {timeout_s} s: run the command again.") from None
    except (OAuth2Error, Warning) as fault:  # oauthlib raises a Warning when less is granted than asked for
        words = str(fault).splitlines()[0][:200]
        raise TokenError(f"Google did not grant the reading of Drive ({words}): agree to all that it asks.") from None
    except requests.RequestException as fault:
        raise TokenError(f"Google cannot be reached to get the token ({type(fault).__name__}).") from None
    return _token(credentials, flow.oauth2session.token)


def _flow(client_secrets: Path) -> InstalledAppFlow:
    try:
        return InstalledAppFlow.from_client_secrets_file(str(client_secrets), scopes=[SCOPE])
    except FileNotFoundError:
        raise TokenError(
            f"There is no {client_secrets}: download the client secrets of a desktop app from Google's console."
        ) from None
    except (ValueError, KeyError):
        raise TokenError(f"{client_secrets} holds no client secrets of a desktop app.") from None


def _token(credentials: Credentials, answer: dict[str, Any]) -> Token:
    """Put into the token what Google's own format lacks: when it was granted, and when it ends if Google tells."""
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
