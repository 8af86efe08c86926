import hashlib
import io
import pickle
import tracemalloc
import zipfile
from copy import copy

import numpy as np
import pytest

from cinematch_assets.recommender.artifact import ArtifactRefusedError, pack, unpack

pytestmark = pytest.mark.faults("hostile-models")


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


def npy(shape: str, dtype: str = "<f8", data: bytes = b"") -> bytes:
    """An array whose header claims any shape."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def deflated(size: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("facts.json", b"{}")
        archive.writestr("a.npy", npy(f"({size // 8},)", data=bytes(size)))
    return out.getvalue()


def overlapping(entries: int) -> bytes:
    """Many names for the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("facts.json", b"{}")
        archive.writestr("a.npy", npy("(1000,)", data=bytes(8_000)))
        first = archive.infolist()[1]
        for number in range(entries):
            again = copy(first)
            again.filename = f"{number}.npy"
            archive.filelist.append(again)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        deflated(100 << 20),
        zipped({"facts.json": b"{}", "a.npy": npy("(268435456,)")}),
        zipped({"facts.json": b"{}", "a.npy": npy("(0, 4611686018427387904)")}),
        zipped({"facts.json": b"{}", "a.npy": npy("(2147483647, 0)")}),
        zipped({"facts.json": b"{}", "a.npy": npy("(-1,)")}),
        zipped({"facts.json": b"{}", "a.npy": npy("(1,)", "V2147483647")}),
        zipped({"facts.json": b"{}", "a.npy": npy("(1,)", data=bytes(16))}),
        zipped({"facts.json": b"[" * 100_000}),
        overlapping(1_000),
    ],
    ids=[
        "deflated",
        "2 GB claimed",
        "zero length, endless width",
        "endless length, zero width",
        "negative",
        "a huge item",
        "bytes too many",
        "deep facts",
        "entries that share bytes",
    ],
)
def test_a_claim_is_refused_before_memory_is_taken(data):
    tracemalloc.start()
    with pytest.raises(ArtifactRefusedError):
        unpack(data, sha(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20


def test_an_empty_array_comes_back():
    data = pack({"a": np.empty((0, 64)), "b": np.empty((50, 0), np.int32)}, {})
    arrays, _ = unpack(data, sha(data))
    assert (arrays["a"].shape, arrays["b"].shape) == ((0, 64), (50, 0))


def test_a_matrix_in_either_order_comes_back_writable():
    data = zipped({"facts.json": b"{}", "a.npy": saved(np.asfortranarray(np.arange(6.0).reshape(2, 3)))})
    arrays, _ = unpack(data, sha(data))
    np.testing.assert_array_equal(arrays["a"], np.arange(6.0).reshape(2, 3))
    assert arrays["a"].flags.writeable
