import numpy as np

from cinematch_assets.recommender.kernels.conjugate_gradient import LEAST_GAIN, advance, begin


def test_a_system_of_three_is_solved_in_three_steps() -> None:
    matrix = np.array([[4, 1, 0], [1, 3, 1], [0, 1, 2]], np.float32)
    right = np.array([9, 10, 8], np.float32)
    x, scale, step = np.zeros(3, np.float32), np.diag(matrix).copy(), np.empty(3, np.float32)
    left = right.copy()
    gain = begin(left, scale, step)
    for _ in range(3):
        gain = advance(gain, matrix @ step, scale, x, left, step)
    assert np.allclose(matrix @ x, right, atol=1e-4)
    assert gain < 1e-6


def test_a_solved_row_has_nothing_to_gain() -> None:
    step = np.empty(2, np.float32)
    assert begin(np.zeros(2, np.float32), np.ones(2, np.float32), step) < LEAST_GAIN
