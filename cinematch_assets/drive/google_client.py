"""Thread-safe Drive client: retries, quota, error translation.

Here: sending requests, which faults are retried and for how long, what a refusal means. Not here: folders and files
(``drive.google_folder``), a file's bytes (``drive.download``), the token (``drive.token``).

Requests are built by google-api-python-client and sent by requests. The first knows the API: it checks parameters and
puts addresses together. Its own transport, httplib2, is not thread-safe, cannot stream, and so could neither share
connections among 32 threads nor notice a slow transfer (decision 15).
"""

import logging
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
from cinematch_assets.urls import hide_user_info

SIGN_IN = "run `cinematch drive login`"
_MAX_CONNECTIONS = 64
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_RATE_LIMIT_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_SCOPE_REASONS = frozenset({"insufficientPermissions", "insufficientScopes", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
_UNAUTHORIZED = 401
_TOO_MANY_REQUESTS = 429
_RETRYABLE_STATUSES = frozenset({408, _TOO_MANY_REQUESTS, 500, 502, 503, 504})

logger = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retry and timeout limits."""

    max_attempts: int = 7
    first_wait_s: float = 1.0
    """Doubled with each attempt, ± 50 %: seven attempts take about a minute, after which the quota is renewed."""
    max_wait_s: float = 120.0
    """When Google asks for a longer wait than this, give up at once."""
    timeout_s: float = 30.0
    """A connection that delivers no byte within this time is lost."""
    min_bytes_per_s: float = 1024.0
    """A transfer slower than this over ``speed_window_s`` is lost too."""
    speed_window_s: float = 30.0
    progress_bytes: int = 8 << 20
    """A transfer that breaks off after so many bytes is resumed at once, with a new series of attempts."""


class RetryableError(Exception):
    """The same request may succeed later; the text continues a sentence that begins with "Google Drive".

    ``wait_s`` is the wait that Google asked for, ``rate_limited`` whether there were too many requests.
    """

    def __init__(self, reason: str, *, wait_s: float = 0.0, rate_limited: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.rate_limited = rate_limited


class RefusedError(DriveError):
    """Google understood the request and refused it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"Google Drive says {status}: {message.rstrip('.')}.")
        self.status = status
        self.message = message.rstrip(".")


class GoogleClient:
    """Google's Drive v3 API over a transport that threads may share."""

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
        options = {"api_endpoint": _check_encrypted(endpoint)} if endpoint else None
        service = build(
            "drive", "v3", http=_NoTransport(), client_options=options, static_discovery=True, cache_discovery=False
        )
        self._token_session = requests.Session()
        self._token_request = Request(self._token_session)
        self._session = _make_session(credentials, self._token_request, service.files().list().uri)
        # Each call of service.files() builds all of its methods anew.
        self.files = service.files()
        self.about = service.about()

    def call(self, method: Callable[..., HttpRequest], **parameters: Any) -> dict[str, Any]:
        """Send one request, such as ``call(client.files.list, q=…)``, and return the JSON of its answer.

        Raises:
            RefusedError: Google refuses the request.
            TokenError: A person has to sign in.
            UnreachableError: All attempts failed.
        """
        request = method(**parameters)

        def attempt() -> dict[str, Any]:
            with self._send(request, {}) as response:
                try:
                    document: dict[str, Any] = response.json()
                except requests.RequestException as fault:
                    raise RetryableError(f"answers with no JSON ({_first_line(fault)})") from fault
                return document

        return self.retry(attempt)

    def retry(self, attempt: Callable[[], _T]) -> _T:
        """Call ``attempt`` until it no longer raises ``RetryableError``, with growing waits.

        Raises:
            UnreachableError: All attempts failed, or Google asks for too long a wait.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(RetryableError),
            stop=stop_after_attempt(self.retry_policy.max_attempts),
            wait=self._wait_s,
            before_sleep=self._log_retry,
        )
        try:
            return retrying(attempt)
        except RetryError as given_up:
            last = given_up.last_attempt.exception()
            attempts = given_up.last_attempt.attempt_number
            raise UnreachableError(f"Google Drive {last}; given up after {attempts} attempts.") from last

    def _wait_s(self, state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        jitter = random.uniform(0.5, 1.5)  # noqa: S311  (nothing secret about it)
        wait_s: float = self.retry_policy.first_wait_s * 2.0 ** (state.attempt_number - 1) * jitter
        if not isinstance(fault, RetryableError):
            return wait_s
        if fault.wait_s > self.retry_policy.max_wait_s:
            raise UnreachableError(f"Google Drive {fault}, and asks to wait for {fault.wait_s:,.0f} s.") from fault
        wait_s = max(wait_s, fault.wait_s)
        if fault.rate_limited:
            self._quota.pause(wait_s)
        return wait_s

    def _log_retry(self, state: RetryCallState) -> None:
        fault = state.outcome.exception() if state.outcome else None
        logger.warning(
            "Google Drive %s; attempt %d of %d failed, the next one is in %.1f s",
            fault,
            state.attempt_number,
            self.retry_policy.max_attempts,
            state.upcoming_sleep,
        )

    def close(self) -> None:
        """Close the connections; the client must not be used afterwards."""
        self._session.close()
        self._token_session.close()

    @contextmanager
    def open_content(self, file_id: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Request a file's bytes in one attempt; the response streams them."""
        request = self.files.get_media(fileId=file_id, supportsAllDrives=True)
        # A compressed answer would give byte ranges another meaning.
        with self._send(request, headers | {"Accept-Encoding": "identity"}) as response:
            yield response

    @contextmanager
    def _send(self, request: HttpRequest, headers: dict[str, str]) -> Iterator[requests.Response]:
        headers = {"accept": request.headers.get("accept", "*/*"), **headers}
        response = self._get(request.uri, headers)
        if response.status_code == _UNAUTHORIZED:
            # AuthorizedSession would do this too, but leave the first answer's connection open.
            response.close()
            self._session.credentials.refresh(self._token_request)
            response = self._get(request.uri, headers)
        with response:
            if not response.ok:
                raise _translate(response)
            yield response

    def _get(self, address: str, headers: dict[str, str]) -> requests.Response:
        self._quota.acquire()
        try:
            response: requests.Response = self._session.get(
                address, headers=headers, timeout=self.retry_policy.timeout_s, stream=True
            )
        except requests.RequestException as fault:
            raise RetryableError(f"cannot be reached ({_first_line(fault)})") from fault
        return response


class _NoTransport:
    """Stands in for httplib2 in Google's client, which only builds requests here."""

    credentials = None

    def request(self, *_args: Any, **_options: Any) -> None:
        raise NotImplementedError("Requests are sent by GoogleClient.")

    def close(self) -> None:
        """Do nothing: no connection is open."""


def _make_session(credentials: Credentials, token_request: Request, address: str) -> AuthorizedSession:
    """Make the transport; proxies and certificates are read from the environment once, not for each request."""
    session = AuthorizedSession(credentials, refresh_status_codes=(), auth_request=token_request)
    environment = session.merge_environment_settings(address, {}, None, None, None)
    session.proxies, session.verify = environment["proxies"], environment["verify"]
    session.trust_env = False
    session.mount("https://", HTTPAdapter(pool_maxsize=_MAX_CONNECTIONS))
    session.mount("http://", HTTPAdapter(pool_maxsize=_MAX_CONNECTIONS))
    return session


def _check_encrypted(endpoint: str) -> str:
    address = urlsplit(endpoint)
    if address.scheme == "https" or (address.scheme == "http" and address.hostname in _LOOPBACK):
        return endpoint
    raise DriveError(
        f"GOOGLE_DRIVE_ENDPOINT={hide_user_info(endpoint)} would carry the token unencrypted: "
        "http is allowed on this machine only."
    )


def _translate(response: requests.Response) -> Exception:
    """Return the exception for an error answer."""
    status, (reasons, message) = response.status_code, _read_error(response)
    rate_limited = status == _TOO_MANY_REQUESTS or not reasons.isdisjoint(_RATE_LIMIT_REASONS)
    if rate_limited or status in _RETRYABLE_STATUSES:
        return RetryableError(f"says {status} ({message})", wait_s=_retry_after_s(response), rate_limited=rate_limited)
    if status == _UNAUTHORIZED:
        return TokenError(f"Google no longer accepts the token ({message}): {SIGN_IN}.")
    if not reasons.isdisjoint(_SCOPE_REASONS):
        return TokenError(f"The token may not read Drive ({message}): {SIGN_IN} and grant it.")
    return RefusedError(status, message)


def _read_error(response: requests.Response) -> tuple[frozenset[str], str]:
    """Return the reasons and the message of Google's error document."""
    try:
        error = response.json()["error"]
        reasons = {str(entry.get("reason")) for entry in (*error.get("errors", ()), *error.get("details", ()))}
        return frozenset(reasons), str(error.get("message", response.reason))
    except (requests.RequestException, KeyError, TypeError, AttributeError):
        return frozenset(), str(response.reason)


def _retry_after_s(response: requests.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0


def _first_line(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".splitlines()[0][:200]
