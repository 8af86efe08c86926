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
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import CinematchError

_FACTS = "facts.json"
_SUFFIX = ".npy"
_SIMPLE = "biuf"


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
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        raise ArtifactRefusedError("the model is not a file of arrays; pickles are never loaded") from error
    arrays: dict[str, NDArray[Any]] = {}
    facts: dict[str, Any] | None = None
    with archive:
        for name in archive.namelist():
            if name == _FACTS:
                facts = _facts(archive.read(name))
            elif name.endswith(_SUFFIX):
                arrays[name.removesuffix(_SUFFIX)] = _array(name, archive.read(name))
            else:
                raise ArtifactRefusedError(f"the model holds '{name}', which is neither an array nor {_FACTS}")
    if facts is None:
        raise ArtifactRefusedError(f"the model holds no {_FACTS}")
    return arrays, facts


def _facts(text: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except ValueError as error:
        raise ArtifactRefusedError(f"{_FACTS} of the model is not JSON: {error}") from error
    if not isinstance(facts, dict):
        raise ArtifactRefusedError(f"{_FACTS} of the model is not a JSON object")
    return facts


def _array(name: str, data: bytes) -> NDArray[Any]:
    try:
        array = np.asarray(np.lib.format.read_array(io.BytesIO(data), allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise ArtifactRefusedError(f"'{name}' of the model is not a plain array: {error}") from error
    if array.dtype.kind not in _SIMPLE:
        raise ArtifactRefusedError(f"'{name}' of the model is {array.dtype}, and only plain numbers are loaded")
    return array
