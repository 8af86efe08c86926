"""A Google Drive folder, read with a person's consent.

Here: listing folders in folders, which entries are files to read. Not here: requests (``drive.google_client``), a
file's bytes (``drive.download``), the token (``drive.token``).
"""

import re
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cinematch_assets.drive.download import download
from cinematch_assets.drive.folder import GOOGLE_PREFIX, HIDDEN, DriveError, FolderListing
from cinematch_assets.drive.google_client import GoogleClient, RefusedError
from cinematch_assets.drive.token import DriveCredentials, token_source
from cinematch_assets.values import DriveFile, SkippedEntry

LISTING_THREADS = 32
_FOLDER = "application/vnd.google-apps.folder"
_SHORTCUT = "application/vnd.google-apps.shortcut"
_NATIVE = "application/vnd.google-apps."
_FIELDS = "nextPageToken,incompleteSearch,files(id,name,mimeType,md5Checksum,size,trashed)"
_PAGE_SIZE = 1000
_ID = re.compile(r"[A-Za-z0-9_-]+")


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

    def list_files(self, under: str = "", *, recursive: bool = True) -> FolderListing:
        """List the folder, many sub-folders at a time; each is entered once, so cycles end."""
        self.read_name()  # Google lists a folder that the account cannot see as empty
        files: list[DriveFile] = []
        skipped: list[SkippedEntry] = []
        for folder, entry in self._entries(self._find_folders(under), skipped, recursive=recursive):
            described = _describe(entry, folder)
            if isinstance(described, DriveFile):
                files.append(described)
            else:
                skipped.append(described)
        files.sort(key=lambda file: (file.path, file.id))
        skipped.sort(key=lambda entry: entry.path)
        return FolderListing(files=tuple(files), skipped=tuple(skipped))

    def fetch(self, file: DriveFile, target: Path) -> None:
        """Download the file; ``target`` appears only when size and md5 are the listed ones."""
        download(self.client, file, target)

    def _find_folders(self, under: str) -> list[_DriveFolder]:
        """Return the folders at that path: Drive allows several of one name."""
        folders = [_DriveFolder(self.folder_id, "")]
        for name in (part for part in under.split("/") if part):
            quoted = name.replace("\\", "\\\\").replace("'", "\\'")
            only = f"name = '{quoted}' and mimeType = '{_FOLDER}'"
            found = [(folder, entry) for folder in folders for entry in self._list_one(folder, [], only)]
            # Drive compares names without regard to case.
            folders = [
                _DriveFolder(entry["id"], _path(parent, entry)) for parent, entry in found if entry["name"] == name
            ]
        return folders

    def _entries(
        self, folders: list[_DriveFolder], skipped: list[SkippedEntry], *, recursive: bool
    ) -> Iterator[tuple[_DriveFolder, dict[str, Any]]]:
        """Give everything that is not a folder, listing as many folders at once as there are threads."""
        entered = {folder.id for folder in folders}
        with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="drive-listing") as pool:

            def list_one(folder: _DriveFolder) -> list[dict[str, Any]]:
                return list(self._list_one(folder, skipped))

            pending: dict[Future[list[dict[str, Any]]], _DriveFolder] = {
                pool.submit(list_one, folder): folder for folder in folders
            }
            try:
                while pending:
                    for done in wait(pending, return_when=FIRST_COMPLETED).done:
                        folder = pending.pop(done)
                        for entry in done.result():
                            if entry["mimeType"] != _FOLDER:
                                yield folder, entry
                            elif entry["id"] in entered:
                                skipped.append(
                                    SkippedEntry(_path(folder, entry), "leads back to a folder already seen")
                                )
                            elif recursive:
                                entered.add(entry["id"])
                                inner = _DriveFolder(entry["id"], _path(folder, entry))
                                pending[pool.submit(list_one, inner)] = inner
            finally:
                pool.shutdown(cancel_futures=True)

    def _list_one(
        self, folder: _DriveFolder, skipped: list[SkippedEntry], only: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Give the entries of one folder, page by page."""
        query = f"'{folder.id}' in parents and trashed = false" + (f" and {only}" if only else "")
        page: str | None = None
        seen_pages: set[str] = set()
        while True:
            try:
                answer = self.client.call(
                    self.client.files.list,
                    q=query,
                    fields=_FIELDS,
                    pageSize=_PAGE_SIZE,
                    pageToken=page,
                    supportsAllDrives=True,
                    includeItemsFromAllDrives=True,
                )
            except RefusedError as fault:
                raise self._translate(fault) from fault
            found = (entry for entry in answer.get("files", ()) if not entry.get("trashed"))
            yield from (entry for entry in found if not str(entry["name"]).startswith(HIDDEN))
            if answer.get("incompleteSearch"):
                skipped.append(
                    SkippedEntry(folder.path or ".", "is not fully listed by Google this time", for_now=True)
                )
            page = answer.get("nextPageToken")
            if not page:
                return
            if page in seen_pages:
                raise DriveError(f"{folder.path or self.spec}: Google Drive's listing repeats a page: try again later.")
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
    if "md5Checksum" not in entry or "size" not in entry or not _ID.fullmatch(str(entry["id"])):
        return SkippedEntry(path, "has no md5 in Google Drive, so its content cannot be checked")
    return DriveFile(
        id=entry["id"],
        path=path,
        name=str(entry["name"]),
        size=int(entry["size"]),
        md5=str(entry["md5Checksum"]).lower(),
    )


def _path(folder: _DriveFolder, entry: dict[str, Any]) -> str:
    """Return the entry's path; Drive allows a slash in a name, which is replaced by a division slash."""
    name = str(entry["name"]).replace("/", "\u2215")
    return f"{folder.path}/{name}" if folder.path else name
