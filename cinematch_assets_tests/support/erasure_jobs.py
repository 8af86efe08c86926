"""An erasure in another process, which is killed on the way."""

from pathlib import Path

from cinematch_assets.drive.opening import open_folder
from cinematch_assets.pipeline.erasure import forget_users
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings
from cinematch_assets.storage.opening import open_store
from cinematch_assets.warehouse.warehouse import Warehouse
from cinematch_assets_tests.support.workers import die_at


def forget_and_die(home: Path, url: str, users: list[int], step: str, order: int) -> None:
    """Erase users on the platform under ``home``; die right before the n-th order to Postgres of a step."""
    settings = Settings.from_env({"CINEMATCH_HOME": str(home), "CINEMATCH_DATABASE_URL": url})
    platform = Platform(
        settings, open_folder(str(home / "drive"), min_age_s=0), open_store(str(home / "store")), Warehouse(url)
    )

    def die_in_step(text: str, _share: float) -> None:
        if text.endswith(f": {step}"):
            die_at(order)

    forget_users(platform, users, lambda rows: len(list(rows)), reason="asked for", progress=die_in_step)
