from pathlib import Path

import pytest

from cinematch_assets.samples.sample import table_file
from cinematch_assets.table_names import SeveralTableFilesError


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_is_csv_or_parquet(tmp_path: Path, suffix: str) -> None:
    assert table_file(tmp_path, "ratings") is None
    path = tmp_path / f"ratings{suffix}"
    path.touch()
    assert table_file(tmp_path, "ratings") == path


def test_a_table_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    for suffix in (".csv", ".parquet"):
        (tmp_path / f"ratings{suffix}").touch()
    with pytest.raises(SeveralTableFilesError, match=r"ratings\.csv and ratings\.parquet in .*: keep one"):
        table_file(tmp_path, "ratings")
