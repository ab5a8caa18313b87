"""Two spaces made comparable by a rotation (orthogonal Procrustes)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import VectorsError
from sg_train.vectors.cosine import unit
from sg_train.vectors.word_vectors import WordVectors

_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True, eq=False)
class Alignment:
    """A rotation of one space onto another.

    Attributes:
        words: number of shared words that decide it.
        rotation: (D, D) float64; rows x of the one space become x R.
        before: mean cosine of the words' two vectors, scaled to length 1 and centred.
        cosine: the same after the rotation.
        residual: Frobenius norm of what still differs, divided by that of the target.
    """

    words: int
    rotation: NDArray[np.float64]
    before: float
    cosine: float
    residual: float

    def apply(self, vectors: WordVectors) -> WordVectors:
        """Return vectors rotated into the other space; their cosines stay the same."""
        matrix = np.empty(vectors.matrix.shape, dtype=np.float32)
        for first in range(0, len(matrix), _ROWS_AT_ONCE):
            rows = slice(first, first + _ROWS_AT_ONCE)
            matrix[rows] = vectors.matrix[rows].astype(np.float64) @ self.rotation
        return WordVectors(
            vectors.words, matrix, vectors.spellings, counts=vectors.counts
        )


def shared_words(spaces: Sequence[WordVectors]) -> list[str]:
    """Return the words of all spaces, in the order of the first.

    Raises:
        VectorsError: there is none, or the spaces differ in dimension.
    """
    first, *others = spaces
    for other in others:
        if other.dimension != first.dimension:
            raise VectorsError(
                f"vectors of dimension {first.dimension} and {other.dimension} cannot "
                "be aligned; train both with the same model.dimension"
            )
    words = [word for word in first.words if all(word in x.ids for x in others)]
    if not words:
        raise VectorsError("the vectors share no word; check language and case")
    return words


def align(
    source: WordVectors, target: WordVectors, restrict: int | None = None
) -> Alignment:
    """Find the rotation that brings the shared words of one space closest to another.

    Vectors are scaled to length 1, centred on their mean, and scaled to length 1 again;
    R = U V', where U S V' is the singular value decomposition of X' Y (Schönemann
    1966).

    Args:
        source: the space to rotate.
        target: the space that it is compared with.
        restrict: use only shared words among this many of the most frequent ones of
            both; by default all.

    Raises:
        VectorsError: the dimensions differ, too few words are shared, or a vector is
            not finite.
    """
    some = [vectors.most_frequent(restrict) for vectors in (source, target)]
    words = shared_words(some)
    if len(words) < target.dimension:
        raise VectorsError(
            f"{len(words)} shared words cannot decide a rotation of "
            f"{target.dimension} dimensions; give texts that share more words"
        )
    one, other = (centred(vectors, words) for vectors in (source, target))
    products = np.zeros((target.dimension, target.dimension))
    before = 0.0
    for first in range(0, len(words), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        x, y = one[rows].astype(np.float64), other[rows].astype(np.float64)
        products += x.T @ y
        before += float(np.einsum("ij,ij->", x, y))
    if not np.isfinite(products).all():
        raise VectorsError("some vectors are not finite")
    if not products.any():
        raise VectorsError("the vectors of the shared words are all equal or 0")
    left, sizes, right = np.linalg.svd(products)
    # |X R - Y|^2 = |X|^2 + |Y|^2 - 2 sum(S), as R keeps lengths.
    squares = [
        float(np.einsum("ij,ij->", x, x, dtype=np.float64)) for x in (one, other)
    ]
    apart = max(0.0, sum(squares) - 2 * float(sizes.sum()))
    return Alignment(
        len(words),
        left @ right,
        before / len(words),
        float(sizes.sum()) / len(words),
        (apart / squares[1]) ** 0.5,
    )


def centred(vectors: WordVectors, words: Sequence[str]) -> NDArray[np.float32]:
    """Return the vectors of n words, (n, D), of length 1 around their common mean."""
    rows = np.array([vectors.ids[word] for word in words], dtype=np.int64)
    matrix = vectors.unit_rows(rows)
    matrix -= matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
    return unit(matrix)
