"""The platform: settings, folder, store and warehouse, which every function of the pipeline is given.

Here: opening them as the settings say. Not here: what is done with them.

Each definition names this type, so that importing it is light: what opens the three is imported when they are opened.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from cinematch_assets.actor import Actor
from cinematch_assets.private_files import make_home, make_private_folder
from cinematch_assets.settings import Settings

if TYPE_CHECKING:
    from cinematch_assets.drive.folder import Folder
    from cinematch_assets.recommender.rating_prediction.residual_als import ResidualTrainer
    from cinematch_assets.storage.base import Store
    from cinematch_assets.warehouse.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Platform:
    """The folder that files come from, the store for objects, the warehouse for tables, and who works with them."""

    settings: Settings
    folder: "Folder"
    store: "Store"
    warehouse: "Warehouse"
    actor: Actor = field(default_factory=Actor.of_process)
    residual_trainer: "ResidualTrainer | None" = None
    """Fits models of the method ``spark_als``; who may start Spark puts it there (``dagster_support.spark_pipes``)."""

    @classmethod
    def open(cls, settings: Settings | None = None, actor: Actor | None = None) -> Self:
        """Open what the settings (by default the environment) name; start and migrate the embedded server.

        ``actor`` is who the audit names; by default CINEMATCH_ACTOR, or the user of this process.
        """
        from cinematch_assets.drive.opening import open_folder
        from cinematch_assets.storage.opening import open_store
        from cinematch_assets.warehouse.warehouse import open_warehouse

        settings = settings or Settings.from_env()
        make_home(settings.home)
        if settings.drive is None:
            make_private_folder(settings.home / "drive")
        return cls(
            settings=settings,
            folder=open_folder(
                settings.folder,
                google_endpoint=settings.drive_endpoint,
                token_file=settings.token_path,
                secret_name=settings.token_secret,
            ),
            store=open_store(settings.store_url, scratch=settings.home.resolve() / "staging"),
            warehouse=open_warehouse(settings.warehouse_url, settings.home, settings.analyst_url),
            actor=actor or Actor.of_process(settings.actor),
        )
