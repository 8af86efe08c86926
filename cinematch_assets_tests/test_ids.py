import numpy as np
import pytest

from cinematch_assets.ids import counts_among, distinct, distinct_counts, positions

LOWEST, HIGHEST = np.iinfo(np.int32).min, np.iinfo(np.int32).max
RANDOM = np.random.default_rng(0)
IDS = {
    "none": [],
    "one": [7],
    "ascending": [1, 1, 2, 9, 9, 9],
    "short range": RANDOM.integers(-20, 60, 200).tolist(),
    "short range at the lowest": (LOWEST + RANDOM.integers(0, 50, 90)).tolist(),
    "short range at the highest": (HIGHEST - RANDOM.integers(0, 50, 90)).tolist(),
    "wide range": RANDOM.integers(LOWEST, HIGHEST, 200, endpoint=True).tolist(),
    "both ends": [HIGHEST, LOWEST, 0, HIGHEST],
}


def as_ids(name: str) -> np.ndarray:
    return np.array(IDS[name], np.int32)


@pytest.mark.parametrize("name", IDS)
def test_the_different_ids_and_their_counts_are_those_of_sorting(name: str) -> None:
    ids = as_ids(name)
    known, counts = np.unique(ids, return_counts=True)
    found, found_counts = distinct_counts(ids)
    for each in (found, distinct(ids)):
        np.testing.assert_array_equal(each, known)
        assert each.dtype == np.int32
    np.testing.assert_array_equal(found_counts, counts)


@pytest.mark.parametrize("known_name", IDS)
@pytest.mark.parametrize("name", IDS)
def test_positions_and_counts_are_those_of_looking_through_all(name: str, known_name: str) -> None:
    ids, rows = as_ids(name), as_ids(known_name)
    known = np.unique(rows).tolist()
    at, found = positions(ids, np.array(known, np.int32))
    assert found.tolist() == [each in known for each in ids.tolist()]
    assert at.tolist() == [known.index(each) if each in known else 0 for each in ids.tolist()]
    assert at.dtype == np.intp
    assert counts_among(ids, rows).tolist() == [rows.tolist().count(each) for each in ids.tolist()]


def test_positions_say_where_and_whether() -> None:
    at, found = positions(np.array([5, 6, 9], np.int32), np.array([5, 9], np.int32))
    assert (at.tolist(), found.tolist()) == ([0, 0, 1], [True, False, True])


@pytest.mark.parametrize("name", ["ascending", "short range", "short range at the lowest"])
def test_ids_within_a_short_range_are_neither_sorted_nor_searched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = as_ids(name)
    known = np.unique(ids)
    for slow in ("unique", "searchsorted", "sort", "argsort"):
        monkeypatch.delattr(np, slow)
    assert distinct(ids).tolist() == distinct_counts(ids)[0].tolist() == known.tolist()
    assert known[positions(ids, known)[0]].tolist() == ids.tolist()
