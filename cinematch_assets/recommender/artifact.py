"""A fitted model as one file of arrays and JSON.

Here: bytes from arrays and back; what could run code or was altered is refused. Not here: where the bytes are kept
(``pipeline.models.artifacts``), what the arrays mean (``model``).

The file is an uncompressed ``.npz`` (a zip of ``.npy``) whose entries have a fixed order and date, so that equal
arrays are equal bytes; ``numpy.load`` reads it.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError

_FACTS = "facts.json"
_SUFFIX = ".npy"
_SIMPLE = "biuf"
MAX_EMPTY_LENGTH = 2**20
"""Length that a dimension of an empty array may have."""
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What the standard library raises for damaged bytes, and for entries that are encrypted or compressed in rare ways."""


class ArtifactRefusedError(CinematchError):
    """The bytes are not an artifact of ours: altered, pickled, or not made of plain numeric arrays."""


def pack(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> bytes:
    """Numeric arrays and JSON facts as one file; the same input gives the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_FACTS), json.dumps(facts, sort_keys=True, allow_nan=False))
        for name in sorted(arrays):
            array = np.asarray(arrays[name])
            if array.dtype.kind not in _SIMPLE:
                raise ArtifactRefusedError(f"array '{name}' is {array.dtype}, and only plain numbers are stored")
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(name + _SUFFIX), entry.getvalue())
    return out.getvalue()


def unpack(data: bytes, sha256: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and facts of ``pack``.

    Raises:
        ArtifactRefusedError: the hash is another one, or the bytes hold anything but numeric arrays and JSON.
    """
    actual = hashlib.sha256(data).hexdigest()
    if actual != sha256.lower():
        raise ArtifactRefusedError(f"the model's sha256 is {actual[:12]}…, and {sha256[:12]}… was registered")
    arrays: dict[str, NDArray[Any]] = {}
    facts: dict[str, Any] | None = None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_sizes(entries, len(data))
            for entry in entries:
                name = entry.filename
                if name == _FACTS:
                    facts = _facts(archive.read(entry))
                elif name.endswith(_SUFFIX):
                    arrays[name.removesuffix(_SUFFIX)] = _array(name, archive.read(entry))
                else:
                    raise ArtifactRefusedError(f"the model holds '{name[:80]}', which is neither an array nor {_FACTS}")
    except _ZIP_FAULTS as error:
        raise ArtifactRefusedError("the model is not a file of arrays; pickles are never loaded") from error
    if facts is None:
        raise ArtifactRefusedError(f"the model holds no {_FACTS}")
    return arrays, facts


def _check_sizes(entries: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Refuse entries that are compressed, share bytes, or claim more than the file holds."""
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size for entry in entries):
        raise ArtifactRefusedError("the model has a compressed entry, and models are stored as they are")
    if sum(entry.file_size for entry in entries) > size or len({entry.filename for entry in entries}) < len(entries):
        raise ArtifactRefusedError("the model claims more bytes than it has")


def _facts(text: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactRefusedError(f"{_FACTS} of the model is not JSON: {error}") from error
    if not isinstance(facts, dict):
        raise ArtifactRefusedError(f"{_FACTS} of the model is not a JSON object")
    return facts


def _array(name: str, data: bytes) -> NDArray[Any]:
    """Return an array whose shape accounts for each byte after its header; no more is allocated."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ArtifactRefusedError(f"'{name}' of the model is in version {version} of numpy's format, not 1.0")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except (ValueError, EOFError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ArtifactRefusedError(f"'{name}' of the model is not a plain array: {str(error)[:200]}") from error
    if dtype.kind not in _SIMPLE:
        raise ArtifactRefusedError(f"'{name}' of the model is {dtype}, and only plain numbers are loaded")
    rest = len(data) - file.tell()
    if math.prod(shape) * dtype.itemsize != rest or any(length > max(rest, MAX_EMPTY_LENGTH) for length in shape):
        raise ArtifactRefusedError(f"'{name}' of the model claims the shape {shape} and holds {rest:,} bytes")
    array = np.frombuffer(data, dtype, offset=file.tell()).reshape(shape, order="F" if is_fortran else "C")
    return array.copy()
