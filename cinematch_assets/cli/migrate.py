"""``cinematch migrate``: bring the database to the newest schema.

Here: output. Not here: the migrations (``warehouse.migrations``).
"""

from cinematch_assets.cli.output import err, out
from cinematch_assets.settings import Settings


def migrate() -> None:
    """Bring the database to the newest schema; safe to run twice or from two places at once.

    Example: cinematch migrate
    """
    from cinematch_assets.warehouse.connection import describe
    from cinematch_assets.warehouse.distinct_databases import require_distinct_databases
    from cinematch_assets.warehouse.embedded import embedded_url
    from cinematch_assets.warehouse.migrations import migrate as bring_up

    settings = Settings.from_env()
    url = settings.warehouse_url or embedded_url(settings.home)
    if settings.dagster_postgres_url:
        require_distinct_databases(url, settings.dagster_postgres_url)
    done = bring_up(url)
    for warning in done.warnings:
        err.print(f"warning: {warning}")
    message = f"applied {', '.join(done.applied)}" if done.applied else "nothing to do"
    out.print(f"{describe(url)}: {message}; the schema is {done.schema}")
