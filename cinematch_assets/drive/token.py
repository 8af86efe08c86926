"""The token by which a person lets the platform read Drive.

Here: where it is kept, its form, credentials that renew access tokens. Not here: getting one (``drive.login``),
checking it for a person (``drive.diagnose``). No part of a token is ever in a message or a log.
"""

import functools
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from google.auth import credentials as google_credentials
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.oauth2.credentials import Credentials

from cinematch_assets.drive.folder import TokenError, UnreachableError
from cinematch_assets.drive.google_client import SIGN_IN

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SCOPE = "https://www.googleapis.com/auth/drive.readonly"
_READING_SCOPES = frozenset({SCOPE, "https://www.googleapis.com/auth/drive"})
_REQUIRED_KEYS = ("client_id", "client_secret", "refresh_token", "token_uri")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_REFRESH_TIMEOUT_S = 4.0
MIN_REFRESH_INTERVAL_S = 10.0
"""Threads share an answer of this age, a refusal too: a revoked token is tried once, not once by each thread."""
_LOGGERS_WITH_SECRETS = (
    "botocore",
    "boto3",
    "urllib3",
    "oauthlib",
    "requests_oauthlib",
    "google_auth_oauthlib",
    "google.auth",
)

logger = logging.getLogger(__name__)
Token = dict[str, Any]


class TokenSource(Protocol):
    """A place where the token is kept."""

    @property
    def where(self) -> str:
        """The place, for messages."""

    def read(self) -> Token:
        """Return the token as it is now.

        Raises:
            TokenError: There is none, or it is incomplete.
        """


class TokenFile:
    """A token in a file, as ``cinematch drive login`` writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def where(self) -> str:
        """The file's path."""
        return str(self.path)

    def read(self) -> Token:
        """Read the file."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise TokenError(f"There is no Google token in {self.path} (GOOGLE_TOKEN_FILE): {SIGN_IN}.") from None
        except OSError as fault:
            raise TokenError(f"The Google token in {self.path} cannot be read ({fault.strerror}).") from fault
        except UnicodeDecodeError:
            raise TokenError(f"{self.path} (GOOGLE_TOKEN_FILE) is not a Google token: {SIGN_IN}.") from None
        return _parse(text, self.where)


class TokenSecret:
    """A token in AWS Secrets Manager; read anew for each renewal, so that a rotated one is picked up."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def where(self) -> str:
        """The secret's name."""
        return f"the AWS secret {self.name}"

    def read(self) -> Token:
        """Read the secret's newest version."""
        with secrets_manager(self.name) as secrets:
            try:
                text = secrets.get_secret_value(SecretId=self.name)["SecretString"]
            except KeyError:
                raise TokenError(f"The AWS secret {self.name} (GCP_SECRET_NAME) holds no text.") from None
        return _parse(text, self.where)


def token_source(token_file: Path | None, secret_name: str | None) -> TokenSource:
    """Return the file if it exists, as on a person's machine, and otherwise the secret.

    Raises:
        TokenError: Neither is named.
    """
    if token_file is not None and (not secret_name or token_file.exists()):
        return TokenFile(token_file)
    if secret_name:
        return TokenSecret(secret_name)
    raise TokenError(f"No Google token is named: set GOOGLE_TOKEN_FILE or GCP_SECRET_NAME, or {SIGN_IN}.")


class DriveCredentials(google_credentials.Credentials):  # type: ignore[misc]  # google-auth ships no types
    """Access tokens as they are needed, each from the token that the source holds at that moment."""

    def __init__(
        self,
        source: TokenSource,
        *,
        min_refresh_interval_s: float = MIN_REFRESH_INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.source = source
        self.granted_scopes: frozenset[str] | None = None
        self._min_refresh_interval_s = min_refresh_interval_s
        self._clock = clock
        self._refreshing = threading.Lock()
        self._refreshed_at = float("-inf")
        self._refusal = ""

    def refresh(self, request: Any) -> None:
        """Get a new access token, in one attempt; threads that need one at the same time share it.

        Raises:
            TokenError: Google refuses the token; a person has to sign in.
            UnreachableError: Google or AWS did not answer.
        """
        with self._refreshing:
            if self._clock() - self._refreshed_at < self._min_refresh_interval_s:
                if self._refusal:
                    raise TokenError(self._refusal)
                return
            try:
                self._refresh(functools.partial(request, timeout=_REFRESH_TIMEOUT_S))
            except TokenError as fault:
                self._refreshed_at, self._refusal = self._clock(), str(fault)
                raise
            self._refreshed_at, self._refusal = self._clock(), ""
            logger.info("Access token to Google Drive renewed with the token in %s", self.source.where)

    def _refresh(self, request: Any) -> None:
        granted = self._granted(request)
        scopes = granted.granted_scopes
        self.granted_scopes = frozenset(scopes) if scopes else None
        if self.granted_scopes is not None and self.granted_scopes.isdisjoint(_READING_SCOPES):
            raise TokenError(f"The Google token in {self.source.where} may not read Drive: {SIGN_IN} and grant it.")
        self.token, self.expiry = granted.token, granted.expiry

    def _granted(self, request: Any) -> Credentials:
        token = self.source.read()
        # Credentials.from_authorized_user_info would overrule the token's own token_uri.
        stored = Credentials(None, scopes=token.get("scopes"), **{key: token[key] for key in _REQUIRED_KEYS})
        try:
            with silence_libraries():
                stored.refresh(request)
        except RefreshError as fault:
            if fault.retryable:
                raise UnreachableError(f"Google does not renew the token just now ({_message(fault)}).") from None
            raise TokenError(
                f"Google refuses the token in {self.source.where} ({_message(fault)}): {SIGN_IN}"
                f"{' --push' if isinstance(self.source, TokenSecret) else ''}."
            ) from None
        except TransportError as fault:
            raise UnreachableError(f"Google cannot be reached to renew the token ({type(fault).__name__}).") from None
        except GoogleAuthError as fault:
            raise TokenError(
                f"The token in {self.source.where} cannot be used ({_message(fault)}): {SIGN_IN}."
            ) from None
        return stored


def _message(fault: GoogleAuthError) -> str:
    """Return Google's message, which holds no secret: the first argument is ``error: description``."""
    return str(fault.args[0])[:200].rstrip(".") if fault.args else type(fault).__name__


def _parse(text: str, where: str) -> Token:
    try:
        token = json.loads(text)
    except ValueError:
        token = None
    if not isinstance(token, dict):
        raise TokenError(f"What is in {where} is not a Google token: {SIGN_IN}.")
    missing = [key for key in _REQUIRED_KEYS if not isinstance(token.get(key), str) or not token[key]]
    if missing:
        raise TokenError(f"The Google token in {where} lacks {', '.join(missing)}: {SIGN_IN}.")
    address = urlsplit(token["token_uri"])
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise TokenError(f"The Google token in {where} would be sent unencrypted (token_uri): {SIGN_IN}.")
    return token


@contextmanager
def secrets_manager(name: str) -> Iterator["SecretsManagerClient"]:
    """Give a client for the secret ``name``, which gives up within seconds; AWS's errors name the secret.

    Raises:
        TokenError: AWS refuses, or there is no such secret.
        UnreachableError: AWS does not answer.
    """
    import boto3  # noqa: PLC0415  half a second that a token in a file need not pay
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    what = f"The AWS secret {name} (GCP_SECRET_NAME)"
    try:
        with silence_libraries():
            yield boto3.client(
                "secretsmanager", config=Config(connect_timeout=2, read_timeout=2, retries={"max_attempts": 1})
            )
    except ClientError as fault:
        code = fault.response.get("Error", {}).get("Code", "")
        if code == "ResourceNotFoundException":
            raise TokenError(f"{what} is not there: {SIGN_IN} --push.") from None
        raise TokenError(f"{what} cannot be used ({code}): check the AWS permissions.") from None
    except BotoCoreError as fault:
        raise UnreachableError(f"{what} cannot be reached ({fault}).") from None


class _Silence:
    """How many blocks silence the libraries at the moment, and the loggers' levels before the first of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
        self.levels: dict[str, int] = {}


_silence = _Silence()


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Keep libraries from logging what they send and receive, which holds secrets, at debug level."""
    with _silence.lock:
        _silence.depth += 1
        if _silence.depth == 1:
            _silence.levels = {name: logging.getLogger(name).level for name in _LOGGERS_WITH_SECRETS}
            for name in _LOGGERS_WITH_SECRETS:
                logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        with _silence.lock:
            _silence.depth -= 1
            if _silence.depth == 0:
                for name, level in _silence.levels.items():
                    logging.getLogger(name).setLevel(level)
