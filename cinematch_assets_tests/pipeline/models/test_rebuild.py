"""The landed contents give the rows that the tables hold, and so the same model."""

from cinematch_assets.pipeline.models.rebuild import read_landed_rows, rebuild_sha256
from cinematch_assets.pipeline.models.train_candidate import train_candidate
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.support.platforms import MOVIES, RATINGS, load_table, rows_of

GOOD = "".join(f"{user},{movie},4.0,1000000000\n" for user in range(1, 41) for movie in (10, 20))


def test_the_rebuilt_model_has_the_candidate_s_hash(champion_platform: Platform) -> None:
    assert rebuild_sha256(champion_platform) == train_candidate(champion_platform, "0e0e0e0e").artifact.sha256


def test_a_movie_that_came_later_stays_unknown_to_a_content_that_was_loaded_before(platform: Platform) -> None:
    catalogue = MOVIES + "10,Heat (1995),Action\n20,Ikiru (1952),Drama\n"
    load_table(platform, "movies", catalogue)
    load_table(platform, "ratings", RATINGS + GOOD + "1,99,3.5,1000000001\n2,10,4.5,1000000002\n")
    load_table(platform, "movies", catalogue + "99,Ran (1985),Drama\n")
    trained = "SELECT userid, movieid, rating, timestamp FROM ops.training_ratings ORDER BY 1, 2"
    rows = read_landed_rows(platform).sort_values(["userId", "movieId"])
    assert list(map(tuple, rows.to_numpy().tolist())) == [tuple(map(float, row)) for row in rows_of(platform, trained)]
    assert 99 not in set(rows["movieId"])
