"""Faults during a download from Google Drive, and the outcome of each.

    python -m benchmarks.drive_faults [--mb 20]

The Drive is the tests' server on this machine. Exit code 1 when a passing fault does not end in the right file, a
lasting one does not end in an error, or more than ``progress_bytes`` are received twice.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks.measuring import report
from cinematch_assets.drive.folder import DriveError
from cinematch_assets.drive.google_client import GoogleClient, RetryPolicy
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.token import DriveCredentials, TokenFile
from cinematch_assets_tests.support.drive_server import DriveServer, Fault

RETRY_POLICY = RetryPolicy(max_attempts=4, first_wait_s=0.05, timeout_s=2, speed_window_s=1.0)
BROKEN = Fault("broken off", at=3_000_000)
PASSING = {
    "nothing": [],
    "IncompleteRead": [BROKEN],
    "IncompleteRead, three times": [Fault("broken off", at=3_000_000, times=3)],
    "500, twice": [Fault("500", times=2)],
    "503 in mid-file, twice": [BROKEN, Fault("503", times=2)],
    "429, Retry-After: 2": [Fault("429", retry_after="2")],
    "rate-limit 403, twice": [Fault("rate limit 403", times=2)],
    "connection lost": [Fault("connection lost")],
    "a 200 in mid-file": [BROKEN, Fault("whole file instead", only_in_mid_file=True)],
    "a wrong range": [BROKEN, Fault("wrong range", only_in_mid_file=True)],
    "too slow": [Fault("too slow")],
    "a wrong byte": [Fault("damaged", at=1_000_000)],
}
LASTING = {
    "503, always": [Fault("503", times=99)],
    "429, Retry-After: 3600": [Fault("429", retry_after="3600")],
    "a 200 in mid-file, always": [BROKEN, Fault("whole file instead", times=99, only_in_mid_file=True)],
    "too slow, always": [Fault("too slow", times=99)],
    "a wrong byte, always": [Fault("damaged", at=1_000_000, times=99)],
    "changed while it is read": [Fault("changes while read", at=5_000_000)],
    "may not be downloaded": [Fault("may not be downloaded", times=99)],
    "token revoked": [],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=20)
    content = os.urandom(parser.parse_args().mb << 20)
    rows, good = [], True
    for name, faults in (PASSING | LASTING).items():
        *row, fine = fetch_with(name, faults, content, lasts=name in LASTING)
        rows.append(tuple(row))
        good = good and fine
    header = ("fault", "outcome", "requests", "received twice", "seconds")
    notes = [
        f"A file of {len(content) / 1e6:.1f} MB; four attempts, the first wait is {RETRY_POLICY.first_wait_s:g} s.",
        "Received twice: bytes beyond the file's size; a wrong byte is found only at the end, by the md5.",
    ]
    report("drive_faults", "Faults during a download from Google Drive, and their outcomes", header, rows, notes)
    return int(not good)


def fetch_with(name: str, faults: list[Fault], content: bytes, *, lasts: bool) -> tuple[str, str, str, str, str, bool]:
    """Fetch the file with these faults; return a row of the table, and whether the outcome is right."""
    with DriveServer().running() as drive, tempfile.TemporaryDirectory(prefix="cinematch-faults-") as folder_name:
        token, target = Path(folder_name) / "token.json", Path(folder_name) / "ratings.csv"
        token.write_text(json.dumps(drive.issue_token()))
        root = drive.add_folder(None, "CineMatch")
        drive.add_file(root, "ratings.csv", content)
        credentials = DriveCredentials(TokenFile(token), min_refresh_interval_s=0)
        client = _CountingClient(credentials, endpoint=drive.url, retry_policy=RETRY_POLICY)
        folder = GoogleFolder(root, client)
        (file,) = folder.list_files().files
        drive.faults = [Fault(**vars(fault)) for fault in faults]
        if name == "token revoked":
            drive.revoke_all()
        served, start = len(drive.served), time.perf_counter()
        try:
            folder.fetch(file, target)
            outcome = "right file" if target.read_bytes() == content else "WRONG FILE"
        except DriveError as fault:
            outcome = f"{'WRONG FILE' if target.exists() else 'no file'}: {fault}".replace(root, "<id>").replace(
                folder_name, "…"
            )
        seconds = time.perf_counter() - start
        twice = max(0, client.received - len(content)) if outcome == "right file" else 0
        client.close()
    fine = outcome.startswith("no file" if lasts else "right file") and (
        twice <= RETRY_POLICY.progress_bytes or "wrong byte" in name
    )
    return name, outcome, str(len(drive.served) - served), f"{twice:,}", f"{seconds:.1f}", fine


class _CountingClient(GoogleClient):
    """Counts the bytes that a download receives."""

    received = 0

    @contextmanager
    def open_content(self, file_id: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Open the content with a response that counts its bytes."""
        with super().open_content(file_id, headers) as response:
            read1 = response.raw.read1

            def read_and_count(*args: object, **options: object) -> bytes:
                piece: bytes = read1(*args, **options)
                self.received += len(piece)
                return piece

            response.raw.read1 = read_and_count
            yield response


if __name__ == "__main__":
    sys.exit(main())
