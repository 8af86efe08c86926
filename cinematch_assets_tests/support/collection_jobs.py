"""What other processes do in these tests; imported once by their server (``support.workers``)."""

from pathlib import Path

from cinematch_assets.drive.local_folder import LocalFolder
from cinematch_assets.pipeline.ingest.netflix_collection import fetch_collection, load_fetched
from cinematch_assets.pipeline.ingest.netflix_matches import match_titles
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings
from cinematch_assets.storage.opening import open_store
from cinematch_assets.values import DriveFile
from cinematch_assets.warehouse.warehouse import Warehouse


class LoggedFolder(LocalFolder):
    """A folder that notes, in a file that survives a kill, which files were fetched whole."""

    log: Path

    def fetch(self, file: DriveFile, target: Path) -> None:
        super().fetch(file, target)
        with self.log.open("ab", buffering=0) as log:
            log.write(f"{file.id}\n".encode())


def collect(home: str, url: str, portion: int = 20) -> None:
    """Fetching, loading and matching, as the two assets do them, in smaller transactions."""
    folder = LoggedFolder(Path(home) / "drive", min_age_s=0)
    LoggedFolder.log = Path(home) / "fetched.log"
    platform = Platform(
        settings=Settings.from_env({"CINEMATCH_HOME": home, "CINEMATCH_DATABASE_URL": url}),
        folder=folder,
        store=open_store(f"{home}/store"),
        warehouse=Warehouse(url),
    )
    fetch_collection(platform, files_per_transaction=portion)
    load_fetched(platform, files_per_transaction=portion)
    match_titles(platform)


def nothing() -> None:
    """The first process waits until its server has imported everything; the next ones start at once."""
