"""Vectors in fewer bytes: float16, and int8 with a scale for each vector.

float16  each number rounded to 11 bits; up to 65504
int8     each vector is `scale` times whole numbers from -127 to 127, where `scale` is
         its largest absolute value / 127, as float32; cosines do not depend on it
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import NumberType
from sg_train.errors import VectorsError

_ROWS_AT_ONCE = 4096
_LARGEST = 127


class Compact(NamedTuple):
    """Vectors as a file holds them.

    Attributes:
        numbers: (V, D) float32, float16 or int8.
        scales: (V,) float32, by which the rows are to be multiplied; None for floats.
    """

    numbers: NDArray[np.generic]
    scales: NDArray[np.float32] | None = None


def compacted(
    words: Sequence[str], matrix: NDArray[np.float32], dtype: NumberType
) -> Compact:
    """Return vectors, whose numbers are finite, with numbers of type `dtype`.

    Args:
        words: V words, for messages.
        matrix: (V, D) their vectors.
        dtype: type of the numbers.

    Raises:
        VectorsError: a number is too large for float16, or the type is unknown.

    >>> compacted(["a"], np.array([[0.5, -1.0]], np.float32), "int8").numbers
    array([[  64, -127]], dtype=int8)
    """
    if dtype == "float32":
        # Files take an array's raw memory, without regard to strides.
        return Compact(np.ascontiguousarray(matrix, dtype=np.float32))
    if dtype == "float16":
        return Compact(_halves(words, matrix))
    if dtype != "int8":
        raise VectorsError(
            f"{dtype!r}: unknown type of numbers; use float32, float16 or int8"
        )
    numbers = np.empty(matrix.shape, dtype=np.int8)
    scales = np.empty(len(matrix), dtype=np.float32)
    for first in range(0, len(matrix), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        some = np.asarray(matrix[rows], dtype=np.float64)
        scales[rows] = np.abs(some).max(axis=1) / _LARGEST
        divisors = np.where(scales[rows] > 0, scales[rows], 1)[:, None]
        whole = np.rint(some / divisors)
        numbers[rows] = whole.clip(-_LARGEST, _LARGEST)
    return Compact(numbers, scales)


def _halves(words: Sequence[str], matrix: NDArray[np.float32]) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        halves = matrix.astype(np.float16)
    fits = np.isfinite(halves).all(axis=1)
    if not fits.all():
        raise VectorsError(
            f"the vector of {words[int(np.argmin(fits))]!r} does not fit into float16; "
            "use float32, or scale vectors to unit length"
        )
    check_not_vanished(words, matrix, halves)
    return halves


def check_not_vanished(
    words: Sequence[str], matrix: NDArray[np.float32], rounded: NDArray[Any]
) -> None:
    """Refuse numbers so small that rounding leaves only zeros of a vector.

    Raises:
        VectorsError: it does; the message names the first such word.
    """
    vanished = matrix.any(axis=1) & ~rounded.any(axis=1)
    if vanished.any():
        raise VectorsError(
            f"the vector of {words[int(np.argmax(vanished))]!r} would be rounded to "
            "zeros; write more digits, or scale vectors to unit length"
        )


def expanded(compact: Compact) -> NDArray[np.float32]:
    """Return vectors, (V, D) float32; those that are float32 are not copied.

    >>> expanded(Compact(np.array([[127, 0]], np.int8), np.array([0.5], np.float32)))
    array([[63.5,  0. ]], dtype=float32)
    """
    numbers, scales = compact
    if numbers.dtype == np.float32:
        return numbers  # type: ignore[return-value]
    matrix = numbers.astype(np.float32)
    if scales is not None:
        matrix *= scales[:, None]
    return matrix
