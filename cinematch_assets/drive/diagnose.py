"""Check whether the platform can read the folder, and for how long.

Here: one finding for each requirement, in the order in which they depend on each other. Not here: mending what is wrong
(``drive.login``).
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
from cinematch_assets.drive.login import read_account
from cinematch_assets.drive.token import SCOPE, DriveCredentials, Token, TokenFile, TokenSource
from cinematch_assets.plurals import count

TESTING_LIFETIME = timedelta(days=7)
"""Lifetime of a refresh token while the app's consent screen is in "Testing"."""

AccessStatus = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The status of one requirement; after a failed one no other is checked."""

    subject: str
    status: AccessStatus
    message: str


def check_google(folder_id: str, source: TokenSource, *, endpoint: str | None = None) -> Iterator[Finding]:
    """Check token, its lifetime, scope, account, folder and files; each finding is given as soon as it is known."""
    credentials = DriveCredentials(source)
    subject = "token"
    try:
        token = source.read()
        credentials.refresh(Request())
        yield _check_token(source)
        subject = "lifetime"
        yield check_lifetime(token, datetime.now(tz=UTC))
        subject = "scope"
        scopes = credentials.granted_scopes
        yield Finding(subject, "ok", f"may only read: {', '.join(sorted(scopes)) if scopes else SCOPE}")
        subject = "account"
        client = GoogleClient(credentials, endpoint=endpoint)
        yield Finding(subject, "ok", read_account(client))
        subject = "folder"
        folder = GoogleFolder(folder_id, client)
        yield Finding(subject, "ok", f"{folder.read_name()} ({folder.spec})")
        subject = "files"
        yield _check_files(folder)
    except DriveError as fault:
        yield Finding(subject, "failed", str(fault))


def check_local(folder: Folder) -> Iterator[Finding]:
    """Check a local folder, which needs no token."""
    try:
        yield _check_files(folder)
    except DriveError as fault:
        yield Finding("folder", "failed", str(fault))


def check_lifetime(token: Token, now: datetime) -> Finding:
    """Estimate how long the token remains valid, from the times that were stored when it was granted."""
    ends, granted = _time(token, "ends_at"), _time(token, "granted_at")
    if ends is not None:
        days = (ends - now) / timedelta(days=1)
        return Finding(
            "lifetime",
            "warning",
            f'ends on {ends:%Y-%m-%d %H:%M} UTC, in {days:.1f} days, as for every app in "Testing": '
            f"publish the app, or {SIGN_IN} before.",
        )
    if granted is None:
        return Finding("lifetime", "warning", f"unknown, because no grant time is stored: {SIGN_IN} to store it.")
    age = now - granted
    if age > TESTING_LIFETIME:
        return Finding("lifetime", "ok", f"granted {age.days} days ago and still valid: it lasts until it is revoked.")
    return Finding(
        "lifetime",
        "warning",
        f'granted on {granted:%Y-%m-%d}; if the app is in "Testing", it ends on {granted + TESTING_LIFETIME:%Y-%m-%d}: '
        "publish the app to be safe.",
    )


def expected_end(token: Token, now: datetime) -> tuple[datetime, bool] | None:
    """Return when the token ends and whether that is certain, from the times of its grant; None when it lasts.

    A token that still renews after the lifetime of those in "Testing" is none of them.
    """
    ends, granted = _time(token, "ends_at"), _time(token, "granted_at")
    if ends is not None:
        return ends, True
    if granted is None or now - granted > TESTING_LIFETIME:
        return None
    return granted + TESTING_LIFETIME, False


def _check_token(source: TokenSource) -> Finding:
    if isinstance(source, TokenFile) and _is_readable_by_others(source.path):
        return Finding("token", "warning", f"renews; but others may read {source.where}: chmod 600 it.")
    return Finding("token", "ok", f"renews; kept in {source.where}")


def _is_readable_by_others(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o077)


def _check_files(folder: Folder) -> Finding:
    listing = folder.list_files()
    size_mb = sum(file.size for file in listing.files) / 1e6
    message = f"{count(len(listing.files), 'file')}, {size_mb:,.1f} MB in {folder.spec}"
    if not listing.skipped:
        return Finding("files", "ok", message)
    first = listing.skipped[0]
    message = f"{message}; {len(listing.skipped):,} skipped, the first of them {first.path}, which {first.reason}"
    return Finding("files", "warning", message)


def _time(token: Token, key: str) -> datetime | None:
    try:
        return datetime.fromisoformat(token[key]).astimezone(UTC)
    except (KeyError, TypeError, ValueError):
        return None
