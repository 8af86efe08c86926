"""What a download from Google Drive does when things go wrong on the way: each fault, and what became of it.

    python -m benchmarks.drive_faults [--mb 20]

The Drive is our own server on this machine. Exit code 1 when a passing fault does not end in the right file, a lasting
one in none, or more than a chunk is taken twice.
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
from cinematch_assets.drive.download import CHUNK_BYTES
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
    "a slow drip": [Fault("drips")],
    "a wrong byte": [Fault("damaged", at=1_000_000)],
}
LASTING = {
    "503 for ever": [Fault("503", times=99)],
    "429, Retry-After: 3600": [Fault("429", retry_after="3600")],
    "a 200 in mid-file for ever": [BROKEN, Fault("whole file instead", times=99, only_in_mid_file=True)],
    "a slow drip for ever": [Fault("drips", times=99)],
    "a wrong byte for ever": [Fault("damaged", at=1_000_000, times=99)],
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
        *row, fine = tried(name, faults, content, lasts=name in LASTING)
        rows.append(tuple(row))
        good = good and fine
    header = ("fault", "outcome", "requests", "taken twice", "seconds")
    notes = [
        f"A file of {len(content) / 1e6:.1f} MB; four attempts, the first wait is {RETRY_POLICY.first_wait_s:g} s.",
        "Taken twice: bytes that reached us beyond the file's own; a wrong byte shows only at the end, by the md5.",
    ]
    report("drive_faults", "Faults on the way from Google Drive, and what became of them", header, rows, notes)
    return int(not good)


def tried(name: str, faults: list[Fault], content: bytes, *, lasts: bool) -> tuple[str, str, str, str, str, bool]:
    """Fetch the file with these faults on the way."""
    with DriveServer().running() as drive, tempfile.TemporaryDirectory(prefix="cinematch-faults-") as place:
        token, target = Path(place) / "token.json", Path(place) / "ratings.csv"
        token.write_text(json.dumps(drive.issue_token()))
        root = drive.add_folder(None, "CineMatch")
        drive.add_file(root, "ratings.csv", content)
        client = _Counting(DriveCredentials(TokenFile(token)), endpoint=drive.url, retry_policy=RETRY_POLICY)
        folder = GoogleFolder(root, client)
        (file,) = folder.list_files().files
        drive.faults = [Fault(**vars(fault)) for fault in faults]
        if name == "token revoked":
            drive.revoke_all()
            client.forget_the_token()
        served, start = len(drive.served), time.perf_counter()
        try:
            folder.fetch(file, target)
            outcome = "right file" if target.read_bytes() == content else "WRONG FILE"
        except DriveError as fault:
            outcome = f"{'WRONG FILE' if target.exists() else 'no file'}: {fault}".replace(root, "<id>").replace(
                place, "…"
            )
        seconds = time.perf_counter() - start
        twice = max(0, client.taken - len(content)) if outcome == "right file" else 0
        client.close()
    fine = outcome.startswith("no file" if lasts else "right file") and (twice <= CHUNK_BYTES or "wrong byte" in name)
    return name, outcome, str(len(drive.served) - served), f"{twice:,}", f"{seconds:.1f}", fine


class _Counting(GoogleClient):
    """Counts the bytes that a download takes."""

    taken = 0

    @contextmanager
    def content(self, file_id: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Hand the answer on, with a transport that counts."""
        with super().content(file_id, headers) as response:
            read1 = response.raw.read1

            def counting(*args: object, **options: object) -> bytes:
                piece: bytes = read1(*args, **options)
                self.taken += len(piece)
                return piece

            response.raw.read1 = counting
            yield response

    def forget_the_token(self) -> None:
        """Do as if the access token had been granted an hour ago."""
        self._session.credentials._asked_at = float("-inf")  # noqa: SLF001


if __name__ == "__main__":
    sys.exit(main())
