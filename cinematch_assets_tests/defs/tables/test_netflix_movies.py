"""The two assets of the collection: their metadata and checks."""

import json
from typing import Any

import dagster as dg

from cinematch_assets.defs.drive.raw_netflix_collection import raw_netflix_collection
from cinematch_assets.defs.tables.netflix_movies import netflix_movies, netflix_movies_checks
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import drop

MATRIX = {"title": "The Matrix", "genre": "Sci-Fi", "rating": 8.7, "year": 1999}


def run(platform: Platform, instance: dg.DagsterInstance) -> tuple[dict[str, Any], dict[str, Any], dict[str, bool]]:
    """Materialize both; return the metadata of each, and which checks passed."""
    assets = [raw_netflix_collection, netflix_movies, netflix_movies_checks]
    done = dg.materialize(assets, resources={"platform": platform}, instance=instance)
    raw, table = (
        {name: value.value for name, value in done.asset_materializations_for_node(node)[0].metadata.items()}
        for node in ("raw_netflix_collection", "netflix_movies")
    )
    checks = {check.check_name: check.passed for check in done.get_asset_check_evaluations()}
    return raw, table, checks


def test_metadata_counts_files_movies_and_matches(platform: Platform, instance: dg.DagsterInstance) -> None:
    with platform.warehouse.connect() as connection:
        connection.execute("INSERT INTO movies VALUES (2571, 'Matrix, The (1999)', 'Action')")
    folder = "Netflix_Movie_Collection"
    drop(platform, f"{folder}/a/matrix.json", json.dumps(MATRIX))
    drop(platform, f"{folder}/b/c/heat.json", json.dumps({"title": "Heat", "genre": "Crime"}))
    drop(platform, f"{folder}/b/bad.json", json.dumps(MATRIX | {"year": 1899}))
    drop(platform, f"{folder}/b/poster.png", b"\x89PNG")
    raw, table, checks = run(platform, instance)
    assert {name: raw[name] for name in ("files", "new", "fetched", "unchanged", "failed", "skipped")} == {
        "files": 3,
        "new": 3,
        "fetched": 3,
        "unchanged": 0,
        "failed": 0,
        "skipped": 1,
    }
    assert raw["skipped_entries"] == [f"{folder}/b/poster.png: is neither .json nor .csv"]
    assert (table["inserted"], table["files_loaded"], table["files_quarantined"]) == (2, 2, 1)
    assert (table["titles_matched"], table["titles_unmatched"], table["share_matched"]) == (1, 1, 0.5)
    assert table["problem_files"][0].startswith(f"{folder}/b/bad.json: row 1: year")
    assert checks == {"structure": True, "each_movie_once": True, "pandera_schema": True, "rejected_rows": False}
    again, same, _ = run(platform, instance)
    assert (again["fetched"], again["unchanged"], same["inserted"], same["files_of_this_run"]) == (0, 3, 0, 0)


def test_without_a_collection_both_succeed_with_zero_counts(platform: Platform, instance: dg.DagsterInstance) -> None:
    raw, table, checks = run(platform, instance)
    assert (raw["files"], table["inserted"], "share_matched" in table) == (0, 0, False)
    assert all(checks.values())


def test_long_lists_of_messages_are_cut(platform: Platform, instance: dg.DagsterInstance) -> None:
    for number in range(30):
        drop(platform, f"Netflix_Movie_Collection/{number}.txt", b"no movie")
    raw, _, _ = run(platform, instance)
    assert raw["skipped"] == 30
    assert len(raw["skipped_entries"]) == 21
    assert raw["skipped_entries"][-1] == "and 10 more"


def test_a_column_of_another_type_fails_the_check(platform: Platform, instance: dg.DagsterInstance) -> None:
    with platform.warehouse.connect() as connection:
        connection.execute("ALTER TABLE netflix.movies ALTER rating TYPE real")
    _, _, checks = run(platform, instance)
    assert {name for name, passed in checks.items() if not passed} == {"structure"}


def test_a_movie_that_is_there_twice_fails_the_check(platform: Platform, instance: dg.DagsterInstance) -> None:
    with platform.warehouse.connect() as connection:
        connection.execute("ALTER TABLE netflix.movies DROP CONSTRAINT movies_same_movie_once")
        connection.execute("INSERT INTO netflix.movies (title, genre) VALUES ('Heat', 'Crime'), ('Heat', 'Crime')")
    _, _, checks = run(platform, instance)
    assert {name for name, passed in checks.items() if not passed} == {"each_movie_once"}
