"""The platform as Dagster's resource, which all definitions are given.

Here: how Dagster opens the platform, and what of it a single run may have otherwise. Not here: the settings it is
opened by (``settings``).
"""

import dagster as dg
from pydantic import Field

from cinematch_assets.dagster_support.run_actor import run_actor
from cinematch_assets.dagster_support.run_tags import complete_tags
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings


class PlatformResource(dg.ConfigurableResource[Platform]):
    """Drive folder, store and warehouse, as the environment names them; an embedded server is started.

    Assets are given the open ``Platform``; tests hand one instead.
    """

    max_rejected_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="For this run, the share of rejected rows above which a file is refused; by default "
        "CINEMATCH_MAX_REJECTED_SHARE.",
    )

    def create_resource(self, context: dg.InitResourceContext) -> Platform:
        """Open the platform for a run, or a sensor's tick; a run acts as itself, has its tags, and records settings."""
        from cinematch_assets.pipeline.audited_settings import record_setting_changes

        settings = environment = Settings.from_env()
        if self.max_rejected_share is not None:
            settings = settings.model_copy(update={"max_rejected_share": self.max_rejected_share})
        if context.run is None:
            return Platform.open(settings)
        if context.instance is not None:
            complete_tags(context.instance, context.run)
        opened = Platform.open(settings, run_actor(context.run, settings.actor))
        record_setting_changes(opened, environment)
        return opened
