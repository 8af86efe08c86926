import numpy as np
import pytest

from cinematch_assets.actor import Actor
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.pipeline.suppression import (
    KEY,
    Suppression,
    SuppressionKeyError,
    ensure_key,
    fingerprint,
    hash_user,
    hash_users,
    read_suppression,
)
from cinematch_assets.warehouse.erasures import begin_erasure

ACTOR = Actor("ada")


def given_suppressed(platform: Platform, *users: int) -> None:
    key = ensure_key(platform)
    platform.warehouse.run(begin_erasure, hash_users(key, users), fingerprint(key), "asked for", ACTOR)


def test_without_an_erasure_there_is_no_key_and_no_one_is_kept_out(platform: Platform) -> None:
    suppression = read_suppression(platform)
    assert (suppression, suppression.known) == (Suppression(), 0)
    assert suppression.of_people(np.array([1, 2])).tolist() == [False, False]
    assert not platform.store.exists(KEY)


def test_those_on_the_list_are_known_by_their_hash_alone(platform: Platform) -> None:
    given_suppressed(platform, 5, 7)
    suppression = read_suppression(platform)
    assert suppression.known == 2
    assert suppression.of_people(np.array([7, 1, 5, 7, 57], np.int32)).tolist() == [True, False, True, True, False]
    assert suppression.of_people(np.zeros(0, np.int64)).tolist() == []


def test_the_key_is_made_once_and_decides_about_the_hash(platform: Platform) -> None:
    key = ensure_key(platform)
    assert ensure_key(platform) == key
    assert len(key) == 32
    assert hash_user(key, 5) != hash_user(bytes(32), 5)
    assert hash_user(key, 5) not in fingerprint(key)


def test_a_lost_key_is_not_replaced_while_anyone_is_on_the_list(platform: Platform) -> None:
    given_suppressed(platform, 5)
    platform.store.delete(KEY)
    with pytest.raises(SuppressionKeyError, match="it is not there"):
        ensure_key(platform)
    assert not platform.store.exists(KEY)
