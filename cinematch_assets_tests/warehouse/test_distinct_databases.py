import pytest

from cinematch_assets.settings import InvalidSettingError
from cinematch_assets.warehouse.distinct_databases import require_distinct_databases
from cinematch_assets_tests.support.servers import Postgres


def test_two_databases_of_one_server_are_fine(postgres18: Postgres, database_url_18: str) -> None:
    with postgres18.database() as other:
        require_distinct_databases(database_url_18, other)


def test_one_database_is_refused_however_it_is_written(database_url_18: str, pooled_database_url: str) -> None:
    with pytest.raises(InvalidSettingError, match="name one database"):
        require_distinct_databases(database_url_18, f"{database_url_18}&application_name=dagster")
    with pytest.raises(InvalidSettingError, match="name one database"):
        require_distinct_databases(pooled_database_url, pooled_database_url.replace("127.0.0.1", "localhost"))
