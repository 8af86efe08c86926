"""Users who were erased and are kept out: the key, and who is one of them.

Here: hashing numbers under the key, which lies in the store. Not here: the list (``warehouse.suppressed_users``),
erasing (``pipeline.erasure``).
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cinematch_assets.errors import SurroundingsError
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.storage.base import MissingObjectError
from cinematch_assets.warehouse.suppressed_users import list_suppressed_users

KEY = "keys/suppression"
_KEY_BYTES = 32


class SuppressionKeyError(SurroundingsError):
    """The key is not the one that the list was made with; without it erased people would come back."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """The list as it was read; ``known`` is its length, by which a later addition is noticed."""

    hashes: frozenset[str] = frozenset()
    key: bytes = b""

    @property
    def known(self) -> int:
        """How many people are on the list."""
        return len(self.hashes)

    def of_people(self, users: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which users, shape (n,), are on the list."""
        if not self.hashes:
            return np.zeros(len(users), np.bool_)
        different, places = np.unique(users, return_inverse=True)
        found = [hash_user(self.key, user) in self.hashes for user in different.tolist()]
        return np.asarray(np.array(found, np.bool_)[places], np.bool_)


def hash_user(key: bytes, user: int) -> str:
    """Return the keyed hash of a user's number."""
    return hmac.digest(key, str(user).encode(), hashlib.sha256).hex()


def hash_users(key: bytes, users: Iterable[int]) -> set[str]:
    """Return the keyed hash of each user's number."""
    return {hash_user(key, user) for user in users}


def fingerprint(key: bytes) -> str:
    """Return what tells one key from another, and nothing of it."""
    return hashlib.sha256(b"fingerprint " + key).hexdigest()[:16]


def read_suppression(platform: Platform) -> Suppression:
    """Read the list and its key.

    Raises:
        SuppressionKeyError: people are on the list, and the store lacks the key or has another.
    """
    listed = platform.warehouse.run(list_suppressed_users)
    if not listed:
        return Suppression()
    try:
        key = platform.store.read_bytes(KEY)
    except MissingObjectError as missing:
        raise SuppressionKeyError(f"{_lost(platform)}, and it is not there") from missing
    if set(listed.values()) != {fingerprint(key)}:
        raise SuppressionKeyError(f"{_lost(platform)}, and another one is there")
    return Suppression(frozenset(listed), key)


def ensure_key(platform: Platform) -> bytes:
    """Return the key; make it while no one is on the list."""
    if platform.warehouse.run(list_suppressed_users):
        return read_suppression(platform).key
    if not platform.store.exists(KEY):
        platform.store.put_bytes(KEY, secrets.token_bytes(_KEY_BYTES))
    return platform.store.read_bytes(KEY)


def _lost(platform: Platform) -> str:
    return (
        f"erased people are known by a key at {platform.store.uri(KEY)}: restore it from a backup, nothing is loaded "
        "before"
    )
