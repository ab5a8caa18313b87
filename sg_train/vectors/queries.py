"""Questions to word vectors."""

import numpy as np

from sg_train.vectors.word_vectors import WordVectors

_ROWS_AT_ONCE = 1 << 16


def neighbors(
    vectors: WordVectors, word: str, count: int = 10
) -> list[tuple[str, float]]:
    """Return the words whose vectors have the highest cosine with that of `word`.

    Args:
        vectors: where to look; a vector of zeros has cosine 0 with every other.
        word: left out of the answer itself.
        count: how many words to return.

    Returns:
        (word, cosine) pairs, the nearest first, ties in the order of the vocabulary.

    Raises:
        VectorsError: `word` has no vector.
    """
    own = vectors.id(word)
    cosines = _cosines(vectors, own)
    cosines[own] = -np.inf
    nearest = np.argsort(-cosines, kind="stable")[: min(count, len(vectors) - 1)]
    return [(vectors.words[i], float(cosines[i])) for i in nearest.tolist()]


def _cosines(
    vectors: WordVectors, own: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    query = vectors.matrix[own].astype(np.float64)
    cosines = np.zeros(len(vectors))
    for first in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = vectors.matrix[first : first + _ROWS_AT_ONCE].astype(np.float64)
        scale = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
        np.divide(
            rows @ query, scale, out=cosines[first : first + len(rows)], where=scale > 0
        )
    return cosines
