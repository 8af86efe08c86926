from pathlib import Path

import pytest

from cinematch_assets.samples.sample import atomic_folder, table_file
from cinematch_assets.table_names import SeveralTableFilesError


def test_a_folder_that_could_not_be_filled_is_not_there(tmp_path: Path) -> None:
    def broken_off() -> None:
        with atomic_folder(tmp_path / "set") as filling:
            (filling / "ratings.csv").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_only_when_it_is_filled(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "set") as filling:
        (filling / "ratings.csv").touch()
        assert not (tmp_path / "set").exists()
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["ratings.csv"]


def test_who_comes_second_keeps_what_is_there(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "set") as second, atomic_folder(tmp_path / "set") as first:
        (first / "who").write_text("first")
        (second / "who").write_text("second")
    assert (tmp_path / "set" / "who").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


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
