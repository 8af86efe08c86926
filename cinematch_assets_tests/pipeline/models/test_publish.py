"""Publishing the champion's recommendations, and changing the champion by hand."""

import io

import pandas as pd
import pytest

from cinematch_assets.errors import CinematchError
from cinematch_assets.pipeline.models.publish import publish_recommendations, roll_back, set_champion
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import given_candidate, given_champion, rows_of


def test_each_user_gets_movies_that_they_have_not_rated(champion_platform: Platform) -> None:
    published = publish_recommendations(champion_platform, k=7)
    assert (published.users, published.rows) == (200, 7 * 200)
    assert rows_of(champion_platform, "SELECT count(*), count(DISTINCT movieid) FROM recommendations") == [
        (published.rows, published.movies)
    ]
    clash = "SELECT count(*) FROM recommendations JOIN ratings USING (userId, movieId)"
    assert rows_of(champion_platform, clash) == [(0,)]


def test_the_rows_are_kept_in_the_store_beside_the_table(champion_platform: Platform) -> None:
    published = publish_recommendations(champion_platform, k=3)
    content = champion_platform.store.read_bytes(f"recommendations/{published.version}.parquet")
    kept = pd.read_parquet(io.BytesIO(content)).sort_values(["userId", "rank"])
    table = rows_of(champion_platform, "SELECT userid, rank, movieid, because FROM recommendations ORDER BY 1, 2")
    kept["because"] = kept["because"].map(list)
    assert list(kept[["userId", "rank", "movieId", "because"]].itertuples(index=False, name=None)) == table


def test_each_movie_is_explained_by_movies_that_its_user_rated(champion_platform: Platform) -> None:
    publish_recommendations(champion_platform, k=3)
    named = "FROM recommendations r, unnest(r.because) AS reason"
    assert rows_of(champion_platform, f"SELECT count(*) > 600 {named}") == [(True,)]
    foreign = f"SELECT count(*) {named} WHERE (r.userId, reason) NOT IN (SELECT userId, movieId FROM ratings)"
    assert rows_of(champion_platform, foreign) == [(0,)]


def test_metadata_counts_rows_users_and_movies(champion_platform: Platform) -> None:
    metadata = publish_recommendations(champion_platform, k=3).as_metadata()
    assert (metadata["users"], metadata["rows"]) == (200, 600)
    assert set(metadata) == {"version", "users", "different_movies", "rows"}


def test_the_first_champion_cannot_be_rolled_back(platform: Platform) -> None:
    version = given_champion(platform)
    with pytest.raises(CinematchError, match=f"{version} is the first champion"):
        roll_back(platform)


def test_only_a_promoted_version_can_become_champion(champion_platform: Platform) -> None:
    version = given_candidate(champion_platform, "0d0d0d0d")
    with pytest.raises(CinematchError, match=f"{version} is candidate: only a version that passed the gate"):
        set_champion(champion_platform, version, "by hand")


def test_a_version_without_recommendations_cannot_become_champion(champion_platform: Platform) -> None:
    published = publish_recommendations(champion_platform, k=3)
    champion_platform.store.delete(f"recommendations/{published.version}.parquet")
    with pytest.raises(CinematchError, match="materialize recommendations under it first"):
        set_champion(champion_platform, published.version, "by hand")
