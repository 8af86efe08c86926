import hashlib
import io
import pickle
import zipfile

import numpy as np
import pytest

from cinematch_assets.recommender.artifact import ArtifactRefusedError, pack, unpack


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def zipped(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def saved(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def test_what_is_packed_comes_back():
    arrays = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array([True, False])}
    data = pack(arrays, {"why": "because", "n": 3})
    back, facts = unpack(data, sha(data))
    assert facts == {"why": "because", "n": 3}
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype


def test_equal_arrays_are_equal_bytes_whatever_their_order():
    a, b = np.ones(3), np.zeros(2)
    assert pack({"a": a, "b": b}, {"x": 1, "y": 2}) == pack({"b": b, "a": a}, {"y": 2, "x": 1})


def test_another_hash_is_refused():
    data = pack({"a": np.ones(3)}, {})
    with pytest.raises(ArtifactRefusedError, match="was registered"):
        unpack(data[:-1] + b"\1", sha(data))


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Bomb()),
        zipped({"facts.json": b"{}", "a.npy": saved(np.array([Bomb()], dtype=object))}),
        zipped({"facts.json": b"{}", "a.npy": pickle.dumps(Bomb())}),
        zipped({"facts.json": b"{}", "a.pkl": pickle.dumps(Bomb())}),
        zipped({"facts.json": b"{}", "a.npy": saved(np.array(["text"]))}),
        zipped({"facts.json": b"{}", "a.npy": saved(np.ones(9))[:-8]}),
        zipped({"facts.json": b"not json"}),
        zipped({"facts.json": b"[]"}),
        zipped({"a.npy": saved(np.ones(2))}),
        b"",
    ],
    ids=[
        "a pickle",
        "an object array",
        "a pickle named npy",
        "a pickle inside",
        "an array of text",
        "a cut-off array",
        "no JSON",
        "no JSON object",
        "no facts",
        "nothing",
    ],
)
def test_what_is_not_plain_arrays_is_refused_even_with_the_right_hash(data):
    with pytest.raises(ArtifactRefusedError):
        unpack(data, sha(data))


def test_objects_are_not_packed_either():
    with pytest.raises(ArtifactRefusedError, match="array 'a' is object"):
        pack({"a": np.array([None])}, {})
