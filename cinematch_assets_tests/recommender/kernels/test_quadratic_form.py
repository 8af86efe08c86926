import numpy as np
from scipy import sparse

from cinematch_assets.recommender.kernels.quadratic_form import quadratic_forms


def test_each_form_is_that_of_the_dense_product() -> None:
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((7, 5)) * (rng.random((7, 5)) < 0.5)
    dense[3] = 0.0
    rows, matrix = sparse.csr_matrix(dense), rng.standard_normal((5, 5))
    assert np.allclose(quadratic_forms(rows, matrix), np.einsum("ni,ij,nj->n", dense, matrix, dense))
    assert quadratic_forms(rows, matrix)[3] == 0.0
