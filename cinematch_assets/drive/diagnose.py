"""Saying in words whether the platform can read the folder, and for how long.

Here: each thing that has to be right, in the order in which it breaks. Not here: mending it (``login``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from google.auth.transport.requests import Request

from cinematch_assets.drive.folder import DriveError, Folder
from cinematch_assets.drive.google_client import SIGN_IN, GoogleClient
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.login import whose
from cinematch_assets.drive.token import SCOPE, DriveCredentials, Token, TokenFile, TokenSource

TESTING_LIFE = timedelta(days=7)
"""How long Google lets a refresh token live while the app's consent screen is in "Testing"."""

AccessStatus = Literal["good", "look", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing stands: ``good``, worth a ``look``, or ``bad``; after a bad one nothing else is tried."""

    subject: str
    standing: AccessStatus
    words: str


def check_google(folder_id: str, source: TokenSource, *, endpoint: str | None = None) -> Iterator[Finding]:
    """Check token, its life, scope, account, folder and files, each as it is known."""
    credentials = DriveCredentials(source)
    subject = "token"
    try:
        token = source.read()
        credentials.refresh(Request())
        yield _kept(source)
        subject = "lifetime"
        yield lifetime(token, datetime.now(tz=UTC))
        subject = "scope"
        scopes = credentials.granted_scopes
        yield Finding(subject, "good", f"may only read: {', '.join(sorted(scopes)) if scopes else SCOPE}")
        subject = "account"
        client = GoogleClient(credentials, endpoint=endpoint)
        yield Finding(subject, "good", whose(client))
        subject = "folder"
        folder = GoogleFolder(folder_id, client)
        yield Finding(subject, "good", f"{folder.name()} ({folder.spec})")
        subject = "files"
        yield _files(folder)
    except DriveError as fault:
        yield Finding(subject, "bad", str(fault))


def check_local(folder: Folder) -> Iterator[Finding]:
    """Check a local folder, which needs no token."""
    try:
        yield _files(folder)
    except DriveError as fault:
        yield Finding("folder", "bad", str(fault))


def lifetime(token: Token, now: datetime) -> Finding:
    """Judge how long the token will last, from what was noted when it was granted."""
    ends, granted = _time(token, "ends_at"), _time(token, "granted_at")
    if ends is not None:
        days = (ends - now) / timedelta(days=1)
        return Finding(
            "lifetime",
            "look",
            f'ends on {ends:%Y-%m-%d %H:%M} UTC, in {days:.1f} days, as for every app in "Testing": '
            f"publish the app, or {SIGN_IN} before.",
        )
    if granted is None:
        return Finding("lifetime", "look", f"not known when it was granted: {SIGN_IN} to have it noted.")
    age = now - granted
    if age > TESTING_LIFE:
        return Finding("lifetime", "good", f"granted {age.days} days ago and still good: it lasts until it is revoked.")
    return Finding(
        "lifetime",
        "look",
        f'granted on {granted:%Y-%m-%d}; if the app is in "Testing", it ends on {granted + TESTING_LIFE:%Y-%m-%d}: '
        "publish the app to be safe.",
    )


def _kept(source: TokenSource) -> Finding:
    if isinstance(source, TokenFile) and _others_may_read(source.path):
        return Finding("token", "look", f"renews; but others may read {source.where}: chmod 600 it.")
    return Finding("token", "good", f"renews; kept in {source.where}")


def _others_may_read(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o077)


def _files(folder: Folder) -> Finding:
    look = folder.look()
    size_mb = sum(file.size for file in look.files) / 1e6
    words = f"{len(look.files):,} files, {size_mb:,.1f} MB in {folder.spec}"
    if not look.skipped:
        return Finding("files", "good", words)
    first = look.skipped[0]
    words = f"{words}; {len(look.skipped):,} left out, the first of them {first.path}, which {first.reason}"
    return Finding("files", "look", words)


def _time(token: Token, key: str) -> datetime | None:
    try:
        return datetime.fromisoformat(token[key]).astimezone(UTC)
    except (KeyError, TypeError, ValueError):
        return None
