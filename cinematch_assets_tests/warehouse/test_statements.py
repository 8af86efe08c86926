from pathlib import Path

import psycopg
import pytest

from cinematch_assets.warehouse.statements import scalar, single_row, statement, statement_names


def test_a_statement_is_found_by_its_folder_and_name(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "select_one.sql").write_text("SELECT 1")
    assert statement_names(tmp_path) == ("files/select_one",)
    assert statement("registry/select_champion").endswith("SELECT version FROM ops.champion\n")


def test_a_missing_row_is_an_error_and_not_a_default(connection_18: psycopg.Connection) -> None:
    assert scalar(connection_18, "drift/select_unseen_ratings") == 0
    assert single_row(connection_18, "movies/count_movies") == (0, 0)
    with pytest.raises(LookupError, match=r"select_champion\.sql returned no row"):
        single_row(connection_18, "registry/select_champion")
    with pytest.raises(ValueError, match="unpack"):
        scalar(connection_18, "movies/count_movies")
