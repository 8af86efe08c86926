import json
from pathlib import Path

import pytest

from cinematch_assets.samples.catalogue import lay_out, open_sample
from cinematch_assets.samples.sample import Sample, SampleError


def make_sample(path: Path, **files: str) -> Sample:
    path.mkdir()
    for name, content in files.items():
        (path / name.replace("_", ".")).write_text(content)
    return Sample("mine", path, "mine")


def test_a_synthetic_set_has_the_size_in_its_name_and_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []
    sample = open_sample("synthetic:2_000", tmp_path, seed=3, progress=made.append)
    assert sum(made) == 2_000
    assert json.loads((sample.folder / "truth.json").read_text())["ratings"] == 2_000
    assert (sample.folder / "ratings.csv").read_text().count("\n") == 2_001
    again = open_sample("synthetic:2000", tmp_path, seed=3, progress=made.append)
    assert (again, sum(made)) == (sample, 2_000)
    assert "no person's data" in sample.licence


def test_a_folder_is_a_data_set(tmp_path: Path) -> None:
    make_sample(tmp_path / "data", movies_csv="", ratings_csv="")
    assert open_sample(str(tmp_path / "data"), tmp_path).folder == tmp_path / "data"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("synthetic:many", "number of ratings after the colon"),
        ("synthetic:", "number of ratings after the colon"),
        ("synthetic:0", "0 ratings were asked for"),
        ("synthetic:25_000_001", "25,000,001 ratings were asked for"),
        ("ml-20m", "ml-20m is not a folder"),
    ],
)
def test_unknown_data_is_refused_with_the_reason(tmp_path: Path, data: str, reason: str) -> None:
    with pytest.raises(SampleError, match=reason):
        open_sample(data, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_laying_out_copies_the_tables_unchanged_and_nothing_else(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / "data", movies_csv="\ufeffm\r\n", ratings_csv="r\x00", tags_csv="t")
    lay_out(sample, tmp_path / "drive")
    found = {path.name: path.read_bytes() for path in (tmp_path / "drive").iterdir()}
    assert found == {"movies.csv": "\ufeffm\r\n".encode(), "ratings.csv": b"r\x00"}


def test_laying_out_another_set_replaces_the_former_tables(tmp_path: Path) -> None:
    lay_out(make_sample(tmp_path / "old", movies_csv="old", ratings_csv="old"), tmp_path / "drive")
    lay_out(make_sample(tmp_path / "new", movies_parquet="new", ratings_csv="new"), tmp_path / "drive")
    found = {path.name: path.read_text() for path in (tmp_path / "drive").iterdir()}
    assert found == {"movies.parquet": "new", "ratings.csv": "new"}


def test_laying_out_leaves_the_former_table_when_the_copy_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(make_sample(tmp_path / "old", movies_csv="old", ratings_csv="old"), tmp_path / "drive")

    def fail(source: Path, target: Path) -> None:
        target.write_text("ha")
        raise KeyboardInterrupt

    monkeypatch.setattr("cinematch_assets.samples.catalogue.shutil.copyfile", fail)
    with pytest.raises(KeyboardInterrupt):
        lay_out(make_sample(tmp_path / "new", movies_csv="new", ratings_csv="new"), tmp_path / "drive")
    found = {path.name: path.read_text() for path in (tmp_path / "drive").iterdir()}
    assert found == {"movies.csv": "old", "ratings.csv": "old"}
