"""A Google Drive folder, read with a person's consent.

Here: listing folders in folders, which entries are files to read. Not here: requests (``drive.google_client``), a
file's bytes (``drive.download``), the token (``drive.token``).
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cinematch_assets.drive.download import download
from cinematch_assets.drive.folder import (
    GOOGLE_PREFIX,
    HIDDEN,
    DriveError,
    FolderListing,
    Look,
    LookLimits,
    TokenError,
    UnreachableError,
    name_fault,
    shown_name,
)
from cinematch_assets.drive.google_client import GoogleClient, RefusedError
from cinematch_assets.drive.token import DriveCredentials, token_source
from cinematch_assets.table_names import is_read
from cinematch_assets.values import DriveFile, SkippedEntry

LISTING_THREADS = 32
_FOLDER = "application/vnd.google-apps.folder"
_SHORTCUT = "application/vnd.google-apps.shortcut"
_NATIVE = "application/vnd.google-apps."
_FIELDS = "nextPageToken,incompleteSearch,files(id,name,mimeType,md5Checksum,size,trashed)"
_PAGE_SIZE = 1000
_ID = re.compile(r"[A-Za-z0-9_-]+")
_MD5 = re.compile(r"[0-9a-fA-F]{32}")


@lru_cache(maxsize=16)
def open_google_folder(
    folder_id: str, *, endpoint: str | None = None, token_file: Path | None = None, secret_name: str | None = None
) -> "GoogleFolder":
    """Open the folder with the token of a file or a secret; nothing is requested yet.

    A process opens each folder once: a sensor that lists it every ten seconds then needs one access token an hour, and
    all its requests share one quota.
    """
    credentials = DriveCredentials(token_source(token_file, secret_name))
    return GoogleFolder(folder_id, GoogleClient(credentials, endpoint=endpoint))


@dataclass(frozen=True, slots=True)
class _DriveFolder:
    """A folder being listed: its id, and its path below the one that was opened."""

    id: str
    path: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What listing one folder gave."""

    entries: tuple[dict[str, Any], ...]
    skipped: tuple[SkippedEntry, ...]


@dataclass(frozen=True, slots=True)
class GoogleFolder:
    """A folder in Google Drive; may be used by several threads at once."""

    folder_id: str
    client: GoogleClient

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.folder_id):
            raise DriveError(
                f"CINEMATCH_DRIVE={self.spec} has no folder id: write what follows /folders/ in its address."
            )

    @property
    def spec(self) -> str:
        """The value of ``CINEMATCH_DRIVE``."""
        return f"{GOOGLE_PREFIX}{self.folder_id}"

    def read_name(self) -> str:
        """Return the folder's own name.

        Raises:
            DriveError: This account cannot see it, or it is no folder.
        """
        fields = "name,mimeType,trashed,shortcutDetails(targetId)"
        try:
            entry = self.client.call(
                self.client.files.get, fileId=self.folder_id, fields=fields, supportsAllDrives=True
            )
        except RefusedError as fault:
            raise self._translate(fault) from fault
        kind, name = entry.get("mimeType"), str(entry.get("name", self.folder_id))
        if kind == _SHORTCUT:
            target = entry.get("shortcutDetails", {}).get("targetId", "<its target>")
            raise DriveError(f"{self.spec} is a shortcut: set CINEMATCH_DRIVE to {GOOGLE_PREFIX}{target}.")
        if kind != _FOLDER or entry.get("trashed"):
            what = "is in the trash" if entry.get("trashed") else "is not a folder"
            raise DriveError(f"{self.spec} ({name}) {what}: correct CINEMATCH_DRIVE.")
        return name

    def list_files(
        self,
        under: str = "",
        *,
        recursive: bool = True,
        is_wanted: Callable[[str], bool] = is_read,
        limits: LookLimits = LookLimits(),  # noqa: B008 - frozen
    ) -> FolderListing:
        """List the folder, many sub-folders at a time; each is entered once, so cycles end."""
        self.read_name()  # Google lists a folder that the account cannot see as empty
        look = Look(limits, is_wanted)
        for folder, entry in self._entries(self._find_folders(under, look), look, recursive=recursive):
            described = _describe(entry, folder)
            if isinstance(described, SkippedEntry) or is_wanted(described.path):
                look.add(described)
            else:
                look.others.append(described.path)
        return look.listing()

    def fetch(self, file: DriveFile, target: Path) -> None:
        """Download the file; ``target`` appears only when size and md5 are the listed ones."""
        download(self.client, file, target)

    def _find_folders(self, under: str, look: Look) -> list[_DriveFolder]:
        """Return the folders at that path: Drive allows several of one name."""
        folders = [_DriveFolder(self.folder_id, "")]
        for name in (part for part in under.split("/") if part):
            quoted = name.replace("\\", "\\\\").replace("'", "\\'")
            only = f"name = '{quoted}' and mimeType = '{_FOLDER}'"
            answers = [(folder, self._try_to_list(folder, only)) for folder in folders]
            for _, answer in answers:
                look.skipped.extend(answer.skipped)
            # Drive compares names without regard to case.
            folders = [
                _DriveFolder(entry["id"], _path(folder, entry))
                for folder, answer in answers
                for entry in answer.entries
                if entry["name"] == name
            ]
        return folders

    def _entries(
        self, folders: list[_DriveFolder], look: Look, *, recursive: bool
    ) -> Iterator[tuple[_DriveFolder, dict[str, Any]]]:
        """Give everything that is not a folder, listing as many folders at once as there are threads."""
        entered = {folder.id for folder in folders}
        with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="drive-listing") as pool:
            pending: dict[Future[_Answer], _DriveFolder] = {
                pool.submit(self._try_to_list, folder): folder for folder in folders
            }
            try:
                while pending and not look.is_over(""):
                    for done in wait(pending, return_when=FIRST_COMPLETED).done:
                        folder, answer = pending.pop(done), done.result()
                        look.skipped.extend(answer.skipped)
                        for entry in answer.entries:
                            if look.is_over(folder.path):
                                return
                            look.entries += 1
                            if entry["mimeType"] != _FOLDER:
                                yield folder, entry
                            elif entry["id"] in entered:
                                look.skip(_path(folder, entry), "leads back to a folder already seen")
                            elif recursive:
                                entered.add(entry["id"])
                                inner = _DriveFolder(entry["id"], _path(folder, entry))
                                pending[pool.submit(self._try_to_list, inner)] = inner
                            else:
                                look.others.append(f"{_path(folder, entry)}/")
            finally:
                pool.shutdown(cancel_futures=True)

    def _try_to_list(self, folder: _DriveFolder, only: str | None = None) -> _Answer:
        """Return the entries of one folder; when an inner one cannot be listed, the reason instead.

        Raises:
            DriveError: The folder that was opened cannot be listed.
            TokenError: A person has to sign in.
        """
        skipped: list[SkippedEntry] = []
        try:
            entries = tuple(self._list_one(folder, skipped, only))
        except TokenError:
            raise
        except RefusedError as fault:
            if not folder.path:
                raise self._translate(fault) from fault
            return _Answer((), (SkippedEntry(folder.path, f"cannot be listed: Google Drive says {fault.status}"),))
        except UnreachableError:
            if not folder.path:
                raise
            reason = "cannot be listed just now: Google Drive does not answer for it"
            return _Answer((), (SkippedEntry(folder.path, reason, for_now=True),))
        return _Answer(entries, tuple(skipped))

    def _list_one(
        self, folder: _DriveFolder, skipped: list[SkippedEntry], only: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Give the entries of one folder, page by page."""
        query = f"'{folder.id}' in parents and trashed = false" + (f" and {only}" if only else "")
        page: str | None = None
        seen_pages: set[str] = set()
        while True:
            answer = self.client.call(
                self.client.files.list,
                q=query,
                fields=_FIELDS,
                pageSize=_PAGE_SIZE,
                pageToken=page,
                supportsAllDrives=True,
                includeItemsFromAllDrives=True,
            )
            for entry in answer.get("files", ()):
                if fault := _entry_fault(entry):
                    skipped.append(SkippedEntry(_path(folder, {"name": shown_name(str(entry.get("name")))}), fault))
                elif not entry.get("trashed") and not entry["name"].startswith(HIDDEN):
                    yield entry
            if answer.get("incompleteSearch"):
                skipped.append(
                    SkippedEntry(folder.path or ".", "is not fully listed by Google this time", for_now=True)
                )
            page = answer.get("nextPageToken")
            if not page:
                return
            if page in seen_pages:
                raise UnreachableError(
                    f"{folder.path or self.spec}: Google Drive's listing repeats a page: try again later."
                )
            seen_pages.add(page)

    def _translate(self, fault: RefusedError) -> DriveError:
        if fault.status == 404:
            return DriveError(
                f"This Google account cannot see {self.spec}: share the folder with it, or correct CINEMATCH_DRIVE; "
                "`cinematch drive check` shows which account it is."
            )
        return DriveError(f"{self.spec}: Google Drive says {fault.status}: {fault.message}.")


def _describe(entry: dict[str, Any], folder: _DriveFolder) -> DriveFile | SkippedEntry:
    """Describe an entry of a listing: a file to read, or why it is none."""
    path, kind = _path(folder, entry), str(entry["mimeType"])
    if kind == _SHORTCUT:
        return SkippedEntry(path, "is a shortcut: put the file itself there")
    if kind.startswith(_NATIVE):
        return SkippedEntry(
            path, f"is a Google {kind.removeprefix(_NATIVE)}, which has no content of its own: export it"
        )
    if not _MD5.fullmatch(str(entry.get("md5Checksum"))) or not str(entry.get("size")).isdecimal():
        return SkippedEntry(path, "has no md5 in Google Drive, so its content cannot be checked")
    return DriveFile(
        id=entry["id"],
        path=path,
        name=str(entry["name"]),
        size=int(entry["size"]),
        md5=str(entry["md5Checksum"]).lower(),
    )


def _entry_fault(entry: dict[str, Any]) -> str:
    """Return why an entry of a listing cannot be used; empty when it can."""
    if not all(isinstance(entry.get(key), str) for key in ("id", "name", "mimeType")) or not _ID.fullmatch(entry["id"]):
        return "is listed by Google Drive without a name, an id or a kind"
    return name_fault(entry["name"])


def _path(folder: _DriveFolder, entry: dict[str, Any]) -> str:
    """Return the entry's path; Drive allows a slash in a name, which is replaced by a division slash."""
    name = str(entry["name"]).replace("/", "\u2215")
    return f"{folder.path}/{name}" if folder.path else name
