import numpy as np
import pytest

from cinematch_assets.recommender.random_streams import derive_stream


def test_a_stream_is_that_of_the_seed_and_its_key():
    expected = np.random.default_rng(np.random.SeedSequence([7, 3])).random(5)
    np.testing.assert_array_equal(derive_stream(np.random.default_rng(7), 3).random(5), expected)


def test_a_stream_does_not_depend_on_what_was_drawn_and_draws_nothing():
    rng, other = np.random.default_rng(7), np.random.default_rng(7)
    other.random(100)
    np.testing.assert_array_equal(derive_stream(rng, 3).random(5), derive_stream(other, 3).random(5))
    np.testing.assert_array_equal(rng.random(5), np.random.default_rng(7).random(5))


def test_streams_of_two_keys_and_of_two_spawned_generators_differ():
    first, second = np.random.default_rng(7).spawn(2)
    streams = [derive_stream(first, 0), derive_stream(first, 1), derive_stream(second, 0)]
    assert len({float(stream.random()) for stream in streams}) == 3


def test_a_generator_without_a_seed_is_refused():
    class Unseeded:
        bit_generator = type("Bits", (), {"seed_seq": None})

    with pytest.raises(TypeError, match="default_rng"):
        derive_stream(Unseeded(), 0)
