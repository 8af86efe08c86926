"""A Google Drive folder, read with a person's consent.

Here: walking folders in folders, what is a file to read and what is not. Not here: requests (``asking``), bytes
(``download``), the token (``token``).
"""

import re
from collections.abc import Callable, Iterator
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
_GOOD_ID = re.compile(r"[A-Za-z0-9_-]+")


@lru_cache(maxsize=16)
def open_google_folder(
    folder_id: str, *, endpoint: str | None = None, token_file: Path | None = None, secret_name: str | None = None
) -> "GoogleFolder":
    """Open the folder with the token of a file or a secret; nothing is asked yet.

    A process opens each folder once: a sensor that looks every half minute needs one access token an hour, not each
    time, and all its looks share one quota.
    """
    credentials = DriveCredentials(token_source(token_file, secret_name))
    return GoogleFolder(folder_id, GoogleClient(credentials, endpoint=endpoint))


@dataclass(frozen=True, slots=True)
class _DriveFolder:
    """A folder on the way: its id, and its path below the one that was opened."""

    id: str
    path: str


@dataclass(frozen=True, slots=True)
class GoogleFolder:
    """A folder in Google Drive; may be used by several threads at once."""

    folder_id: str
    client: GoogleClient

    def __post_init__(self) -> None:
        if not _GOOD_ID.fullmatch(self.folder_id):
            raise DriveError(
                f"CINEMATCH_DRIVE={self.spec} has no folder id: write what follows /folders/ in its address."
            )

    @property
    def spec(self) -> str:
        """The folder as ``CINEMATCH_DRIVE`` names it."""
        return f"{GOOGLE_PREFIX}{self.folder_id}"

    def name(self) -> str:
        """Give the folder's own name.

        Raises:
            DriveError: this account cannot see it, or it is no folder.
        """
        fields = "name,mimeType,trashed,shortcutDetails(targetId)"
        try:
            facts = self.client.ask(self.client.files.get, fileId=self.folder_id, fields=fields, supportsAllDrives=True)
        except RefusedError as fault:
            raise self._explained(fault) from fault
        kind, name = facts.get("mimeType"), str(facts.get("name", self.folder_id))
        if kind == _SHORTCUT:
            target = facts.get("shortcutDetails", {}).get("targetId", "<its target>")
            raise DriveError(f"{self.spec} is a shortcut: set CINEMATCH_DRIVE to {GOOGLE_PREFIX}{target}.")
        if kind != _FOLDER or facts.get("trashed"):
            what = "is in the bin" if facts.get("trashed") else "is not a folder"
            raise DriveError(f"{self.spec} ({name}) {what}: correct CINEMATCH_DRIVE.")
        return name

    def look(self, under: str = "", *, recursive: bool = True) -> FolderListing:
        """Walk the folder, many listings at a time; each folder is entered once, so cycles end."""
        self.name()  # a listing below an id that nobody can see is empty, not an error
        files: list[DriveFile] = []
        skipped: list[SkippedEntry] = []
        for room, entry in self._entries(self._rooms(under), skipped, recursive=recursive):
            seen = _seen(entry, room)
            (files if isinstance(seen, DriveFile) else skipped).append(seen)  # type: ignore[arg-type]
        files.sort(key=lambda file: (file.path, file.id))
        skipped.sort(key=lambda entry: entry.path)
        return FolderListing(files=tuple(files), skipped=tuple(skipped))

    def files(self, under: str = "") -> Iterator[DriveFile]:
        """Give the files of ``look``."""
        yield from self.look(under).files

    def fetch(self, file: DriveFile, target: Path) -> None:
        """Download the file; ``target`` appears only when size and md5 are what the look saw."""
        download(self.client, file, target)

    def _rooms(self, under: str) -> list[_DriveFolder]:
        """Give the folders of that path: Drive allows several of one name."""
        rooms = [_DriveFolder(self.folder_id, "")]
        for name in (part for part in under.split("/") if part):
            quoted = name.replace("\\", "\\\\").replace("'", "\\'")
            only = f"name = '{quoted}' and mimeType = '{_FOLDER}'"
            found = [(room, entry) for room in rooms for entry in self._listed(room, [], only)]
            # Drive compares names without regard to case.
            rooms = [_DriveFolder(entry["id"], _path(room, entry)) for room, entry in found if entry["name"] == name]
        return rooms

    def _entries(
        self, rooms: list[_DriveFolder], skipped: list[SkippedEntry], *, recursive: bool
    ) -> Iterator[tuple[_DriveFolder, dict[str, Any]]]:
        """Give everything that is not a folder, listing as many folders at once as there are threads."""
        entered = {room.id for room in rooms}
        with ThreadPoolExecutor(LISTING_THREADS, thread_name_prefix="drive-look") as pool:

            def listing(room: _DriveFolder) -> Callable[[], list[dict[str, Any]]]:
                return lambda: list(self._listed(room, skipped))

            waiting: dict[Future[list[dict[str, Any]]], _DriveFolder] = {
                pool.submit(listing(room)): room for room in rooms
            }
            try:
                while waiting:
                    for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                        room = waiting.pop(done)
                        for entry in done.result():
                            if entry["mimeType"] != _FOLDER:
                                yield room, entry
                            elif entry["id"] in entered:
                                skipped.append(SkippedEntry(_path(room, entry), "leads back to a folder already seen"))
                            elif recursive:
                                entered.add(entry["id"])
                                inner = _DriveFolder(entry["id"], _path(room, entry))
                                waiting[pool.submit(listing(inner))] = inner
            finally:
                pool.shutdown(cancel_futures=True)

    def _listed(
        self, room: _DriveFolder, skipped: list[SkippedEntry], only: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Page through one folder's listing."""
        query = f"'{room.id}' in parents and trashed = false" + (f" and {only}" if only else "")
        page: str | None = None
        seen_pages: set[str] = set()
        while True:
            try:
                answer = self.client.ask(
                    self.client.files.list,
                    q=query,
                    fields=_FIELDS,
                    pageSize=_PAGE_SIZE,
                    pageToken=page,
                    supportsAllDrives=True,
                    includeItemsFromAllDrives=True,
                )
            except RefusedError as fault:
                raise self._explained(fault) from fault
            found = (entry for entry in answer.get("files", ()) if not entry.get("trashed"))
            yield from (entry for entry in found if not str(entry["name"]).startswith(HIDDEN))
            if answer.get("incompleteSearch"):
                skipped.append(SkippedEntry(room.path or ".", "is not fully listed by Google this time", for_now=True))
            page = answer.get("nextPageToken")
            if not page:
                return
            if page in seen_pages:
                raise DriveError(f"{room.path or self.spec}: Google Drive's listing runs in circles.")
            seen_pages.add(page)

    def _explained(self, fault: RefusedError) -> DriveError:
        if fault.status == 404:
            return DriveError(
                f"This Google account cannot see {self.spec}: share the folder with it, or correct CINEMATCH_DRIVE; "
                "`cinematch drive check` tells which account it is."
            )
        return DriveError(f"{self.spec}: Google Drive says {fault.status}: {fault.message}.")


def _seen(entry: dict[str, Any], room: _DriveFolder) -> DriveFile | SkippedEntry:
    """Tell a file from what only stands in a folder."""
    path, kind = _path(room, entry), str(entry["mimeType"])
    if kind == _SHORTCUT:
        return SkippedEntry(path, "is a shortcut: put the file itself there")
    if kind.startswith(_NATIVE):
        return SkippedEntry(
            path, f"is a Google {kind.removeprefix(_NATIVE)}, which has no content of its own: export it"
        )
    if "md5Checksum" not in entry or "size" not in entry or not _GOOD_ID.fullmatch(str(entry["id"])):
        return SkippedEntry(path, "has no md5 in Google Drive, so its content cannot be checked")
    return DriveFile(
        id=entry["id"],
        path=path,
        name=str(entry["name"]),
        size=int(entry["size"]),
        md5=str(entry["md5Checksum"]).lower(),
    )


def _path(room: _DriveFolder, entry: dict[str, Any]) -> str:
    """Put the path together; Drive allows a slash in a name, which here becomes another character."""
    name = str(entry["name"]).replace("/", "\u2215")
    return f"{room.path}/{name}" if room.path else name
