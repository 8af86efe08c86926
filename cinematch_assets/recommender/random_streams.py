"""Independent streams of random numbers for the parts of one fit.

Here: how a part's stream follows from the generator that the caller made. Not here: the seed
(``recommender.model.fit_recommender``).
"""

from __future__ import annotations

import numpy as np


def derive_stream(rng: np.random.Generator, key: int) -> np.random.Generator:
    """Make the generator of stream ``key``, from the seed that ``rng`` was made with; nothing is drawn from ``rng``.

    Streams of different keys are independent of each other and of ``rng``, whatever has been drawn from any of them.

    Raises:
        TypeError: ``rng`` was not made from a ``numpy.random.SeedSequence``, as ``numpy.random.default_rng`` does.
    """
    seed = rng.bit_generator.seed_seq
    if not isinstance(seed, np.random.SeedSequence) or seed.entropy is None:
        raise TypeError(
            "the generator has no seed to derive a stream from; make it with numpy.random.default_rng(seed)"
        )
    return np.random.default_rng(np.random.SeedSequence([seed.entropy, key], spawn_key=seed.spawn_key))
