"""Files that stand at the top of the repository and inside the installed package: SQL and Dagster's configuration.

Here: where they are. Not here: what is in them (``warehouse.statements``, ``warehouse.migrations``,
``dagster_support.instance``).
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def project_file(name: str) -> Path:
    """Return the path of ``sql/queries``, ``dagster.yaml`` or another file: of the wheel, or else of the checkout."""
    installed = _PACKAGE / "_files"
    return (installed if installed.is_dir() else _PACKAGE.parent) / name
