import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sg_train.errors import VectorsError
from sg_train.vectors.formats.compact import Compact, compacted, expanded

NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32)
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 9))


@given(arrays(np.float32, SHAPES, elements=NUMBERS))
def test_int8_is_off_by_half_a_step_at_most(matrix) -> None:
    words = [f"w{row}" for row in range(len(matrix))]
    compact = compacted(words, matrix, "int8")
    assert compact.numbers.dtype == np.int8
    assert compact.scales is not None
    largest = np.abs(matrix).max(axis=1).astype(np.float64)
    np.testing.assert_allclose(compact.scales, largest / 127, rtol=1e-6, atol=1e-45)
    errors = np.abs(expanded(compact) - matrix.astype(np.float64)).max(axis=1)
    assert (errors <= 0.5001 * largest / 127 + 1e-43).all()


def test_int8_of_more_rows_than_are_read_at_once_and_of_zeros() -> None:
    matrix = np.random.default_rng(1).normal(size=(9000, 3)).astype(np.float32)
    matrix[5000] = 0
    words = [f"w{row}" for row in range(9000)]
    numbers, scales = compacted(words, matrix, "int8")
    assert scales is not None
    assert np.abs(numbers.astype(int)).max(axis=1).tolist() == [
        0 if row == 5000 else 127 for row in range(9000)
    ]
    cosines = (expanded(Compact(numbers, scales)) * matrix).sum(axis=1)
    assert (cosines[:5000] > 0.99 * (matrix[:5000] ** 2).sum(axis=1)).all()


@given(arrays(np.float32, SHAPES, elements=st.floats(-65504, 65504, width=32)))
def test_float16_is_numpys(matrix) -> None:
    assume((matrix.any(axis=1) == matrix.astype("f2").any(axis=1)).all())
    compact = compacted(["w"] * len(matrix), matrix, "float16")
    assert np.array_equal(expanded(compact), matrix.astype("f2").astype("f4"))


def test_what_does_not_fit_is_refused() -> None:
    matrix = np.array([[1], [-65520]], dtype=np.float32)
    with pytest.raises(VectorsError, match="vector of 'b' does not fit into float16"):
        compacted(["a", "b"], matrix, "float16")
    with pytest.raises(VectorsError, match="unknown type of numbers; use float32"):
        compacted(["a", "b"], matrix, "int4")  # type: ignore[arg-type]


def test_float32_is_not_copied() -> None:
    matrix = np.eye(2, dtype=np.float32)
    assert np.shares_memory(expanded(compacted(["a", "b"], matrix, "float32")), matrix)
