"""Our part of the comparison with peers: the split, graded EASE as the reference, the figures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.recommender import data, peers, scoring
from benchmarks.recommender.intervals import PerUser, intervals
from cinematch_assets.recommender.data import Catalogue, Ratings

MOVIES = np.arange(1, 13)


@pytest.fixture
def split() -> dict[str, Any]:
    """Thirty users, twelve movies of which the last was never rated."""
    rng = np.random.default_rng(0)
    cells = np.argwhere(rng.random((30, 11)) < 0.4) + 1
    ratings = rng.choice(np.arange(1, 11) / 2, len(cells)).astype(np.float32)
    return {"users": cells[:, 0], "movies": cells[:, 1], "ratings": ratings, "catalogue": MOVIES}


def prepared(test: Ratings) -> data.Prepared:
    train = Ratings.of(np.array([1, 2, 3]), np.array([1, 1, 2]), np.array([4.0, 3.0, 5.0]))
    return data.Prepared("tiny", Path(), train, test, Catalogue.without_titles(MOVIES), "made by hand")


def test_graded_ease_is_what_its_formula_says(
    split: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(peers, "BLOCK_ITEMS", 4)  # blocks that do not come out even
    monkeypatch.setattr(peers, "USERS_PER_BLOCK", 7)
    peer = peers.GradedEase(tmp_path)
    peer.prepare(split)
    peer.fit(split)
    x = np.zeros((30, 12))
    x[split["users"] - 1, split["movies"] - 1] = split["ratings"] / 5
    inverse = np.linalg.inv(x.T @ x + 300 * np.eye(12))
    b = inverse / -np.diag(inverse)
    np.fill_diagonal(b, 0)
    np.testing.assert_allclose(peer.inverse, inverse[:11, :11], rtol=1e-4, atol=1e-8)
    scores = x @ b
    scores[x > 0] = -np.inf
    scores[:, 11] = -np.inf
    users = np.unique(split["users"])
    best = np.argsort(-scores[users - 1], axis=1)[:, :3] + 1
    np.testing.assert_array_equal(peer.recommend(users, 3), best)


def test_popularity_lists_the_most_rated_without_training_items_and_lower_ids_first(
    split: dict[str, Any], tmp_path: Path
) -> None:
    peer = peers.Popularity(tmp_path)
    peer.prepare(split)
    peer.fit(split)
    counts = np.bincount(split["movies"], minlength=13)[1:]
    for user, listed in zip((1, 7, 30), peer.recommend(np.array([1, 7, 30]), 4), strict=True):
        seen = set(split["movies"][split["users"] == user])
        wanted = sorted((movie for movie in MOVIES if movie not in seen), key=lambda movie: (-counts[movie - 1], movie))
        assert listed.tolist() == wanted[:4]


def test_users_to_rank_for_are_drawn_from_those_with_a_liked_movie(monkeypatch: pytest.MonkeyPatch) -> None:
    users = np.arange(1, 101)
    test = Ratings.of(users, np.ones(100), np.where(users % 2, 4.0, 3.5))
    assert prepared(test).ranked_users.tolist() == users[::2].tolist()
    monkeypatch.setattr(data, "MAX_RANKED_USERS", 10)
    drawn = prepared(test).ranked_users
    assert len(drawn) == 10
    assert (np.diff(drawn) > 0).all()
    assert (drawn % 2 == 1).all()
    assert drawn.tolist() == prepared(test).ranked_users.tolist()


def test_rankings_are_measured_on_the_drawn_users_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Users 1 to 4 like movie 5; two of them are asked for, and every user's ranking is movie 5, then movie 6.
    test = Ratings.of(np.array([1, 2, 3, 4]), np.full(4, 5), np.full(4, 5.0))
    monkeypatch.setattr(data, "MAX_RANKED_USERS", 2)
    facts = json.dumps({"fit_seconds": 1.5, "versions": "one 1.0", "note": ""})
    np.savez(tmp_path / "answers.npz", facts=np.array(facts), rankings=np.array([[5, 6], [6, 5]], np.int32))
    found = scoring.figures(prepared(test), tmp_path / "answers.npz")
    assert found["catalogue_ndcg_at_10"] == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert found["coverage"] == pytest.approx(2 / 12)
    assert found["fit_seconds"] == 1.5
    assert found["rmse"] is None


def test_a_missing_peer_is_reported_with_its_reason(tmp_path: Path) -> None:
    test = Ratings.of(np.array([1]), np.array([2]), np.array([4.0]))
    rows = {"Spark ALS": {"missing": "no Java on this machine"}}
    text = scoring.report(prepared(test), rows, "a machine", tmp_path / "tiny.json")
    assert "* Spark ALS is missing: no Java on this machine" in text
    assert json.loads((tmp_path / "tiny.json").read_text())["rows"] == rows
    assert (tmp_path / "tiny.md").read_text() == text


def test_a_search_climbs_to_the_best_hyperparameters_without_trying_them_all() -> None:
    points: list[peers.Hyperparameters] = []

    def score(point: peers.Hyperparameters) -> float:
        factors, ridge, alpha = point
        points.append(point)
        return -abs(np.log(factors / 8)) - abs(np.log(ridge / 300)) - abs(np.log(alpha / 3))

    assert peers.climb(score, (32, 100.0, 10.0)) == (8, 300.0, 3.0)
    assert len(set(points)) < 30 < 5 * 5 * 4


def test_intervals_are_of_users_and_the_difference_is_to_the_best_peer() -> None:
    rng = np.random.default_rng(1)
    hardness, rows = rng.gamma(2.0, 0.5, 400), np.full(400, 10.0)
    figures = {
        "ours": PerUser((hardness - 0.02) * rows, rows, is_root=True),
        "best peer": PerUser(hardness * rows, rows, is_root=True),
        "worse peer": PerUser((hardness + 0.1) * rows, rows, is_root=True),
    }
    found = intervals(figures, {"best peer", "worse peer"})
    ours, best = found["ours"], found["best peer"]
    rmse = np.sqrt(hardness.mean())
    assert (ours.peer, best.peer) == ("best peer", None)
    assert ours.difference == pytest.approx(np.sqrt((hardness - 0.02).mean()) - rmse)
    expected = 1.96 * hardness.std() / np.sqrt(400) / (2 * rmse)  # of the root, by the delta method
    assert best.half_width == pytest.approx(expected, rel=0.15)
    assert ours.low < ours.difference < ours.high < 0  # paired: far narrower than either figure's own interval
    assert ours.high - ours.low < best.half_width / 2
    assert found["worse peer"].low > 0


def test_more_users_than_blocks_have_the_same_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    ndcg = {"peer": PerUser(np.random.default_rng(2).random(3_000), np.ones(3_000))}
    every = intervals(ndcg, {"peer"})["peer"].half_width
    monkeypatch.setattr("benchmarks.recommender.intervals.MAX_BLOCKS", 600)
    assert intervals(ndcg, {"peer"})["peer"].half_width == pytest.approx(every, rel=0.2)


def test_a_table_has_plus_minus_and_the_difference_to_the_best_peer(tmp_path: Path) -> None:
    users = np.repeat(np.arange(1, 41), 2)
    test = Ratings.of(users, np.tile([5, 6], 40), np.tile([4.0, 2.0], 40))
    train = Ratings.of(np.arange(1, 41), np.ones(40), np.full(40, 3.0))
    given = data.Prepared("tiny", tmp_path, train, test, Catalogue.without_titles(MOVIES), "made by hand")
    rows = {}
    for name, stars, listed in (("cinematch", [4.0, 2.5], [5, 6]), ("cornac MF", [3.5, 3.0], [6, 5])):
        facts = json.dumps({"versions": "1", "note": ""})
        file = scoring.answers_file(given, name)
        np.savez(
            file,
            facts=np.array(facts),
            ratings=np.tile(np.array(stars, np.float32), 40),
            rankings=np.tile(np.array([listed], np.int32), (40, 1)),
        )
        rows[name] = scoring.figures(given, file)
    scoring.add_intervals(given, rows, {"cornac MF"})
    ours = rows["cinematch"]["intervals"]
    assert ours["rmse"]["difference"] == pytest.approx(rows["cinematch"]["rmse"] - rows["cornac MF"]["rmse"])
    assert ours["catalogue_ndcg_at_10"]["peer"] == "cornac MF"
    line = next(
        line
        for line in scoring.report(given, rows, "a machine", tmp_path / "t.json").splitlines()
        if line.startswith("| cinematch")
    )
    assert f"{rows['cinematch']['rmse']:.4f} ± 0.0000" in line  # every user is the same
    assert f"{ours['rmse']['difference']:+.4f} (" in line


def test_any_folder_with_movielens_files_can_be_compared_on_without_times(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(f"{n},Film {n},Drama\n" for n in range(1, 8)))
    lines = [f"{user},{movie},4.0\n" for user in range(1, 11) for movie in range(1, 7)]
    (folder / "ratings.csv").write_text("userId,movieId,rating\n" + "".join(lines))
    made = data.prepare_folder(folder, tmp_path / "cache")
    assert (made.name, len(made.train), len(made.test), len(made.catalogue)) == ("mine", 42, 18, 7)
    assert "60 ratings of 10 users" in made.about
    assert set(np.load(made.folder / "split.npz")["catalogue"]) == set(range(1, 8))
