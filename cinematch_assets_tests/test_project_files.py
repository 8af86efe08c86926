from pathlib import Path

import pytest

from cinematch_assets import project_files
from cinematch_assets.project_files import project_file

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["sql/queries", "sql/migrations", "dagster.yaml", "workspace.yaml"])
def test_in_a_checkout_a_file_is_the_one_at_the_top(name: str) -> None:
    assert project_file(name) == ROOT / name
    assert project_file(name).exists()


def test_in_an_installed_package_a_file_is_the_one_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cinematch_assets" / "_files").mkdir(parents=True)
    (tmp_path / "dagster.yaml").write_text("that of another project\n")
    monkeypatch.setattr(project_files, "_PACKAGE", tmp_path / "cinematch_assets")
    assert project_file("dagster.yaml") == tmp_path / "cinematch_assets" / "_files" / "dagster.yaml"
