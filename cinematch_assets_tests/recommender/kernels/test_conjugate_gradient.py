import numpy as np

from cinematch_assets.recommender.kernels.conjugate_gradient import TOLERANCE, cg_start, cg_step


def test_a_system_of_three_equations_is_solved_in_three_steps() -> None:
    matrix = np.array([[4, 1, 0], [1, 3, 1], [0, 1, 2]], np.float32)
    right = np.array([9, 10, 8], np.float32)
    x, preconditioner, direction = np.zeros(3, np.float32), np.diag(matrix).copy(), np.empty(3, np.float32)
    residual = right.copy()
    rz = cg_start(residual, preconditioner, direction)
    for _ in range(3):
        rz = cg_step(rz, matrix @ direction, preconditioner, x, residual, direction)
    assert np.allclose(matrix @ x, right, atol=1e-4)
    assert rz < 1e-6


def test_the_residual_stays_that_of_x() -> None:
    matrix = np.array([[4, 1, 0], [1, 3, 1], [0, 1, 2]], np.float32)
    right = np.array([9, 10, 8], np.float32)
    x, direction, residual = np.zeros(3, np.float32), np.empty(3, np.float32), right.copy()
    rz = cg_start(residual, np.ones(3, np.float32), direction)
    rz = cg_step(rz, matrix @ direction, np.ones(3, np.float32), x, residual, direction)
    assert np.allclose(residual, right - matrix @ x, atol=1e-5)
    assert np.isclose(rz, residual @ residual)


def test_a_system_without_residual_is_within_tolerance() -> None:
    direction = np.empty(2, np.float32)
    assert cg_start(np.zeros(2, np.float32), np.ones(2, np.float32), direction) < TOLERANCE
