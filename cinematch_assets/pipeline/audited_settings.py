"""Changes of settings, in the audit.

Here: which settings are recorded. Not here: the entries (``warehouse.audit``), the settings themselves (``settings``).
Recorded are numbers, choices, and where files come from and go to: what decides about data. URLs of databases and
places of secrets are not.
"""

from typing import Any

from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.settings import Settings
from cinematch_assets.warehouse.audit import record_settings

_ADDRESSES = ("drive", "store")


def record_setting_changes(platform: Platform, settings: Settings | None = None) -> dict[str, tuple[Any, Any]]:
    """Record the settings of this home if they changed since the last time; return (old, new) of each that did.

    ``settings`` are those of the environment, where a run has others of its own.
    """
    settings = settings or platform.settings
    names = [
        name
        for name, field in Settings.model_fields.items()
        if field.repr and (name in _ADDRESSES or isinstance(field.default, int | float | str))
    ]
    now = {str(Settings.model_fields[name].alias): getattr(settings, name) for name in names}
    defaults = {str(Settings.model_fields[name].alias): Settings.model_fields[name].default for name in names}
    home = str(platform.settings.home.resolve())
    return platform.warehouse.run(record_settings, home, now, defaults, platform.actor)
