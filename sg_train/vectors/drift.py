"""How far words have moved from where they were."""

from dataclasses import dataclass

import numpy as np

from sg_train.errors import VectorsError
from sg_train.vectors.word_vectors import WordVectors

_ROWS_AT_ONCE = 1 << 14
_WORDS_A_DIMENSION = 10


@dataclass(frozen=True)
class Drift:
    """How near the words that two sets of vectors share are in both.

    Attributes:
        words: how many they share.
        cosine: mean cosine of a word's two vectors.
        aligned: the same after the rotation that brings the spaces nearest, so that
            what counts is where words lie among one another. Unrelated spaces come to
            sqrt(dimension / words) by it, so it is None where there are fewer than ten
            words a dimension.
    """

    words: int
    cosine: float
    aligned: float | None


def measure_drift(before: WordVectors, after: WordVectors) -> Drift:
    """Compare the vectors that words had with those that they have.

    The rotation is the orthogonal R that maximises the mean cosine of x R and y for
    rows x and y of length 1: R = U V' where U S V' is the singular value decomposition
    of X' Y, and the sum of the cosines is that of S (Schönemann 1966; Hamilton et al.
    2016 use it so). Rows are taken by blocks, which bounds the memory.

    Raises:
        VectorsError: no word is in both, or the vectors are of different lengths.
    """
    words = [word for word in after.words if word in before]
    if not words:
        raise VectorsError("no word is in both")
    if before.dimension != after.dimension:
        raise VectorsError(
            f"vectors of length {before.dimension} were there, and now of "
            f"{after.dimension}"
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
