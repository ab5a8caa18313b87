"""Questions to word vectors."""

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import AnalogyMethod
from sg_train.vectors.word_vectors import WordVectors

_TINY = np.float32(1e-6)  # keeps 3CosMul from dividing by zero


def similarity(vectors: WordVectors, first: str, second: str) -> float:
    """Return the cosine of two words' vectors.

    Raises:
        VectorsError: a word has no vector.
    """
    rows = np.array([vectors.id(first), vectors.id(second)])
    one, other = vectors.unit_rows(rows)
    return float(one @ other)


def neighbors(
    vectors: WordVectors, word: str, count: int = 10, *, restrict: int | None = None
) -> list[tuple[str, float]]:
    """Return the words whose vectors have the highest cosine with that of `word`.

    Args:
        vectors: where to look; a vector of zeros has cosine 0 with every other.
        word: left out of the answer itself.
        count: how many words to return.
        restrict: answer with the most frequent words alone, so many.

    Returns:
        (word, cosine) pairs, the nearest first, ties in the order of the vocabulary.

    Raises:
        VectorsError: `word` has no vector.
    """
    own = np.array([vectors.id(word)])
    query = vectors.unit_rows(own)
    candidates = vectors.most_frequent(restrict)
    scores = np.concatenate(
        [(block @ query.T)[:, 0] for _, block in candidates.unit_blocks()]
    )
    return _best(candidates, scores, own, count)


def neighbor_table(
    vectors: WordVectors, count: int, top: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest words of each of the most frequent words.

    Args:
        vectors: where to look.
        count: how many words to look up.
        top: how many neighbours each.

    Returns:
        (count, top) rows of the neighbours, the nearest first, and their cosines; there
        are fewer columns if there are fewer words.
    """
    top = min(top, len(vectors) - 1)
    asked = vectors.unit_rows(np.arange(min(count, len(vectors))))
    rows = np.empty((len(asked), 0), dtype=np.int64)
    cosines = np.empty((len(asked), 0), dtype=np.float32)
    for first, block in vectors.unit_blocks():
        found = asked @ block.T
        own = np.arange(first, min(first + len(block), len(asked)))
        found[own, own - first] = -np.inf
        best = np.argpartition(-found, min(top, len(block) - 1), axis=1)[:, :top]
        cosines = np.hstack((cosines, np.take_along_axis(found, best, axis=1)))
        rows = np.hstack((rows, best + first))
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :top]
        cosines = np.take_along_axis(cosines, order, axis=1)
        rows = np.take_along_axis(rows, order, axis=1)
    return rows, cosines


def analogy(
    vectors: WordVectors,
    words: tuple[str, str, str],
    count: int = 10,
    *,
    method: AnalogyMethod = "add",
    restrict: int | None = None,
) -> list[tuple[str, float]]:
    """Answer a : b :: c : ? with the words that fit best.

    Args:
        vectors: where to look.
        words: a, b and c; none of them is an answer.
        count: how many answers to return.
        method: see `analogy_scores`.
        restrict: answer with the most frequent words alone, so many.

    Returns:
        (word, score) pairs, the best first.

    Raises:
        VectorsError: a word has no vector.
    """
    own = np.array([vectors.id(word) for word in words])
    a, b, c = np.split(vectors.unit_rows(own), 3)
    candidates = vectors.most_frequent(restrict)
    scores = np.concatenate(
        [
            analogy_scores(a, b, c, block, method)[0]
            for _, block in candidates.unit_blocks()
        ]
    )
    return _best(candidates, scores, own, count)


def analogy_scores(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    c: NDArray[np.float32],
    candidates: NDArray[np.float32],
    method: AnalogyMethod,
) -> NDArray[np.float32]:
    """Score candidates as answers to n questions a : b :: c : ?.

    `add` is 3CosAdd (Mikolov, Yih and Zweig 2013): the cosine with b - a + c.
    `multiply` is 3CosMul (Levy and Goldberg 2014, equation 4): cos(b) cos(c) / cos(a),
    with cosines shifted to [0, 1].

    Args:
        a: (n, D) float32 of length 1, as are b and c.
        b: likewise.
        c: likewise.
        candidates: (m, D) float32 of length 1.
        method: `add` or `multiply`.

    Returns:
        (n, m) float32.
    """
    if method == "add":
        target = b - a + c
        length = np.linalg.norm(target, axis=1, keepdims=True)
        target /= np.where(length > 0, length, 1)
        return np.asarray(target @ candidates.T)
    # (1 + b) / 2 * (1 + c) / 2 / ((1 + a) / 2 + tiny), in place: n * m is large.
    near_a, near_b, near_c = (x @ candidates.T for x in (a, b, c))
    near_b += 1
    near_c += 1
    near_b *= near_c
    near_a += 1 + 2 * _TINY
    near_b /= near_a
    near_b /= 2
    return np.asarray(near_b)


def _best(
    vectors: WordVectors,
    scores: NDArray[np.float32],
    not_these: NDArray[np.int64],
    count: int,
) -> list[tuple[str, float]]:
    wanted = min(count + len(not_these), len(scores))
    if wanted < len(scores):  # ties at the edge are all let in, and sorted below
        edge = np.partition(scores, len(scores) - wanted)[len(scores) - wanted]
        rows = np.flatnonzero(scores >= edge)
    else:
        rows = np.arange(len(scores))
    rows = rows[~np.isin(rows, not_these)]
    rows = rows[np.argsort(-scores[rows], kind="stable")][:count]
    return [(vectors.words[row], float(scores[row])) for row in rows.tolist()]
