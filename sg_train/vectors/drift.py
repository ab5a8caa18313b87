"""How far words have moved from where they were."""

from dataclasses import dataclass

import numpy as np

from sg_train.vectors.word_vectors import WordVectors


@dataclass(frozen=True)
class Drift:
    """How near the words that two sets of vectors share are in both.

    Attributes:
        words: how many they share.
        cosine: mean cosine of a word's two vectors.
        aligned: the same after the rotation that brings the spaces nearest, so that
            what counts is where words lie among one another.
    """

    words: int
    cosine: float
    aligned: float


def measure_drift(before: WordVectors, after: WordVectors) -> Drift | None:
    """Compare the vectors that words had with those that they have.

    The rotation is the orthogonal R that minimises |X R - Y| for rows X and Y of length
    1 (Schönemann 1966, as Hamilton et al. 2016 use it): R = U V' where U S V' is the
    singular value decomposition of X' Y.

    Returns:
        The drift, or None where no word is in both.
    """
    words = [word for word in after.words if word in before]
    if not words:
        return None
    old, new = (
        vectors.unit_rows(np.array([vectors.ids[word] for word in words])).astype("f8")
        for vectors in (before, after)
    )
    left, _, right = np.linalg.svd(old.T @ new)
    return Drift(
        len(words),
        float(np.einsum("ij,ij->i", old, new).mean()),
        float(np.einsum("ij,ij->i", old @ (left @ right), new).mean()),
    )
