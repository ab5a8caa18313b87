"""How far words have moved between two sets of vectors."""

from dataclasses import dataclass

import numpy as np

from sg_train.errors import VectorsError
from sg_train.vectors.word_vectors import WordVectors

_ROWS_AT_ONCE = 1 << 14
_WORDS_A_DIMENSION = 10


@dataclass(frozen=True)
class Drift:
    """Similarity of two sets of vectors over the words that they share.

    Attributes:
        words: number of shared words.
        cosine: mean cosine of a word's two vectors.
        aligned: the same after the rotation that brings the two spaces closest, so
            that only the positions of words relative to one another count. Unrelated
            spaces score about sqrt(dimension / words), so it is None with fewer than
            ten words per dimension.
    """

    words: int
    cosine: float
    aligned: float | None


def measure_drift(before: WordVectors, after: WordVectors) -> Drift:
    """Compare the vectors of words before and after.

    The rotation is the orthogonal R that maximises the mean cosine of x R and y for
    rows x and y of length 1: R = U V' where U S V' is the singular value decomposition
    of X' Y, and the sum of the cosines is the sum of S (Schönemann 1966; used this way
    by Hamilton et al. 2016). Processing rows in blocks bounds the memory.

    Raises:
        VectorsError: the two share no word, their vectors have different lengths, or
            some vectors are not finite.

    >>> same = WordVectors(["a"], np.ones((1, 2), dtype=np.float32))
    >>> round(measure_drift(same, same).cosine, 6)
    1.0
    """
    words = [word for word in after.words if word in before.ids]
    if not words:
        raise VectorsError("the two sets of vectors share no word")
    if before.dimension != after.dimension:
        raise VectorsError(
            f"vectors of length {before.dimension} cannot be compared with vectors of "
            f"length {after.dimension}"
        )
    products = np.zeros((after.dimension, after.dimension))
    cosines = 0.0
    for first in range(0, len(words), _ROWS_AT_ONCE):
        some = words[first : first + _ROWS_AT_ONCE]
        old, new = (
            vectors.unit_rows(np.array([vectors.ids[word] for word in some])).astype(
                np.float64
            )
            for vectors in (before, after)
        )
        products += old.T @ new
        cosines += float(np.einsum("ij,ij->", old, new))
    if not np.isfinite(products).all():
        raise VectorsError("some vectors are not finite")
    aligned = None
    if len(words) >= _WORDS_A_DIMENSION * after.dimension:
        sizes = np.linalg.svd(products, compute_uv=False)
        aligned = float(sizes.sum()) / len(words)
    return Drift(len(words), cosines / len(words), aligned)
