"""Ask Google Drive, by several threads at once, and ask again when that makes sense.

Here: the client, its transport, what to try again and how long, what a refusal means. Not here: folders and files
(``google``), the bytes of a file (``download``), the token (``token``).
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from google.auth.credentials import Credentials
from google.auth.transport.requests import AuthorizedSession, Request
from googleapiclient.discovery import build
from googleapiclient.http import HttpRequest
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception_type, stop_after_attempt

from cinematch_assets.drive.folder import DriveError, TokenError, UnreachableError
from cinematch_assets.drive.quota import Quota

SIGN_IN = "run `cinematch drive login`"
_MOST_CONNECTIONS = 64
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TOO_FAST = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_LACKING_SCOPE = frozenset({"insufficientPermissions", "insufficientScopes", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
_NOT_SIGNED_IN = 401
_WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504})

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to bear with Google."""

    attempts: int = 7
    first_wait_s: float = 1.0
    """Doubled with each attempt, give or take a half: seven attempts wait for a minute, which renews the quota."""
    longest_wait_s: float = 120.0
    """Asked to wait longer than this, give up at once and say so."""
    timeout_s: float = 30.0
    """Without a byte for so long, a connection counts as lost."""
    slowest_bytes_per_s: float = 1024.0
    """A transfer slower than this over ``drip_window_s`` counts as lost too."""
    drip_window_s: float = 30.0


class TryAgainError(Exception):
    """The same request may well succeed; the reason goes on from "Google Drive".

    ``wait_s`` is what Google asked for, ``too_fast`` that we are too many.
    """

    def __init__(self, reason: str, *, wait_s: float = 0.0, too_fast: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.too_fast = too_fast


class RefusedError(DriveError):
    """Google understood and said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"Google Drive says {status}: {message.rstrip('.')}.")
        self.status = status
        self.message = message.rstrip(".")


class GoogleClient:
    """Google's v3 client with a transport that threads may share; httplib2, its own, is not thread-safe."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        endpoint: str | None = None,
        retry_policy: RetryPolicy | None = None,
        quota: Quota | None = None,
    ) -> None:
        self.retry_policy = retry_policy or RetryPolicy()
        self._quota = quota or Quota()
        options = {"api_endpoint": _safe_address(endpoint)} if endpoint else None
        service = build(
            "drive", "v3", http=_NoTransport(), client_options=options, static_discovery=True, cache_discovery=False
        )
        self._token_session = requests.Session()
        self._token_request = Request(self._token_session)
        self._session = _session(credentials, self._token_request, service.files().list().uri)
        # Each call of files() would put the client's methods together anew.
        self.files = service.files()
        self.about = service.about()

    def ask(self, method: Callable[..., HttpRequest], **parameters: Any) -> dict[str, Any]:
        """Send one request of the client and give its answer.

        Raises:
            RefusedError: Google says no.
            TokenError: a person has to sign in.
            UnreachableError: several attempts have failed.
        """
        request = method(**parameters)

        def answer() -> dict[str, Any]:
            with self._sent(request, {}) as response:
                try:
                    document: dict[str, Any] = response.json()
                except requests.RequestException as fault:
                    raise TryAgainError(f"answers with no JSON ({_first_line(fault)})") from fault
                return document

        return self.trying(answer)

    def trying(self, work: Callable[[], _T]) -> _T:
        """Do ``work`` until it no longer raises ``TryAgainError``, with growing waits, or give up."""
        retrying = Retrying(
            retry=retry_if_exception_type(TryAgainError),
            stop=stop_after_attempt(self.retry_policy.attempts),
            wait=self._wait_s,
        )
        try:
            return retrying(work)
        except RetryError as given_up:
            last = given_up.last_attempt.exception()
            attempts = given_up.last_attempt.attempt_number
            raise UnreachableError(f"Google Drive {last}; given up after {attempts} attempts.") from last

    def _wait_s(self, state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        jitter = random.uniform(0.5, 1.5)  # noqa: S311  (nothing secret about it)
        wait_s: float = self.retry_policy.first_wait_s * 2.0 ** (state.attempt_number - 1) * jitter
        if not isinstance(fault, TryAgainError):
            return wait_s
        if fault.wait_s > self.retry_policy.longest_wait_s:
            raise UnreachableError(f"Google Drive {fault}, and asks to wait for {fault.wait_s:,.0f} s.") from fault
        wait_s = max(wait_s, fault.wait_s)
        if fault.too_fast:
            self._quota.hold(wait_s)
        return wait_s

    def close(self) -> None:
        """Close the connections; the client must not be used afterwards."""
        self._session.close()
        self._token_session.close()

    @contextmanager
    def content(self, file_id: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Ask for a file's bytes, which the answer gives as they come; one attempt."""
        request = self.files.get_media(fileId=file_id, supportsAllDrives=True)
        # Compressed on the way, byte ranges would mean something else.
        with self._sent(request, headers | {"Accept-Encoding": "identity"}) as response:
            yield response

    @contextmanager
    def _sent(self, request: HttpRequest, headers: dict[str, str]) -> Iterator[requests.Response]:
        headers = {"accept": request.headers.get("accept", "*/*"), **headers}
        response = self._got(request.uri, headers)
        if response.status_code == _NOT_SIGNED_IN:
            # AuthorizedSession would do this too, but leave the first answer's connection open.
            response.close()
            self._session.credentials.refresh(self._token_request)
            response = self._got(request.uri, headers)
        with response:
            if not response.ok:
                raise _refusal(response)
            yield response

    def _got(self, address: str, headers: dict[str, str]) -> requests.Response:
        self._quota.take()
        try:
            response: requests.Response = self._session.get(
                address, headers=headers, timeout=self.retry_policy.timeout_s, stream=True
            )
        except requests.RequestException as fault:
            raise TryAgainError(f"cannot be reached ({_first_line(fault)})") from fault
        return response


class _NoTransport:
    """Stands where Google's client wants httplib2: requests are made by it and sent by ``GoogleClient``."""

    credentials = None

    def request(self, *_args: Any, **_options: Any) -> None:
        raise NotImplementedError("Requests are sent by GoogleClient.")

    def close(self) -> None:
        """Hold nothing open."""


def _session(credentials: Credentials, token_request: Request, address: str) -> AuthorizedSession:
    """Make the transport; what the environment says of proxies and certificates is asked once, not a request."""
    session = AuthorizedSession(credentials, refresh_status_codes=(), auth_request=token_request)
    surroundings = session.merge_environment_settings(address, {}, None, None, None)
    session.proxies, session.verify = surroundings["proxies"], surroundings["verify"]
    session.trust_env = False
    session.mount("https://", HTTPAdapter(pool_maxsize=_MOST_CONNECTIONS))
    session.mount("http://", HTTPAdapter(pool_maxsize=_MOST_CONNECTIONS))
    return session


def _safe_address(endpoint: str) -> str:
    address = urlsplit(endpoint)
    if address.scheme == "https" or (address.scheme == "http" and address.hostname in _LOOPBACK):
        return endpoint
    raise DriveError(
        f"GOOGLE_DRIVE_ENDPOINT={endpoint} would carry the token unencrypted: only this machine may be asked by http."
    )


def _refusal(response: requests.Response) -> Exception:
    """Say what an error answer means for us."""
    status, (reasons, message) = response.status_code, _told(response)
    too_fast = status == 429 or not reasons.isdisjoint(_TOO_FAST)
    if too_fast or status in _WORTH_ANOTHER_TRY:
        return TryAgainError(f"says {status} ({message})", wait_s=_retry_after_s(response), too_fast=too_fast)
    if status == _NOT_SIGNED_IN:
        return TokenError(f"Google no longer accepts the token ({message}): {SIGN_IN}.")
    if not reasons.isdisjoint(_LACKING_SCOPE):
        return TokenError(f"The token may not read Drive ({message}): {SIGN_IN} and grant it.")
    return RefusedError(status, message)


def _told(response: requests.Response) -> tuple[frozenset[str], str]:
    """Give the reasons and the message of Google's error document."""
    try:
        error = response.json()["error"]
        reasons = {str(entry.get("reason")) for entry in (*error.get("errors", ()), *error.get("details", ()))}
        return frozenset(reasons), str(error.get("message", response.reason))
    except (requests.RequestException, KeyError, TypeError, AttributeError):
        return frozenset(), str(response.reason)


def _retry_after_s(response: requests.Response) -> float:
    told = response.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() else 0.0


def _first_line(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".splitlines()[0][:200]
