"""The discrete cosine transform against SciPy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dct

from speechtl.features.dct import cosine_transform


@given(st.integers(1, 90), st.integers(1, 90))
def test_it_is_the_orthonormal_dct(bins, coefficients):
    coefficients = min(coefficients, bins)
    expected = dct(np.eye(bins), norm="ortho")[:, :coefficients]
    np.testing.assert_allclose(cosine_transform(bins, coefficients), expected, atol=1e-12)
