"""Array arithmetic behind similarity and analogy queries."""

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import AnalogyMethod

_TINY = np.float32(1e-6)  # keeps 3CosMul from dividing by zero


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, D) rows scaled to length 1; rows of zeros stay zero.

    >>> unit(np.array([[2, 0], [0, 0]], np.float32)).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    inverse = np.zeros_like(lengths)
    np.divide(1, lengths, out=inverse, where=lengths > 0)
    # Multiply in float64: the inverse length of a tiny row may overflow float32.
    scaled: NDArray[np.float32] = (rows * inverse[:, None]).astype(np.float32)
    return scaled


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
        a: (n, D) float32 with rows of length 1.
        b: likewise.
        c: likewise.
        candidates: (m, D) float32 with rows of length 1.
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


def best_rows(
    scores: NDArray[np.float32], not_these: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Return the rows with the highest scores, best first, ties in row order.

    Args:
        scores: (n,), one score per row.
        not_these: rows to leave out.
        count: the maximum number of rows to return.

    >>> best_rows(np.array([0.1, 0.9, 0.5]), np.array([1]), 2)
    array([2, 0])
    """
    wanted = min(count + len(not_these), len(scores))
    if wanted < len(scores):  # include all ties at the edge; sorted below
        edge = np.partition(scores, len(scores) - wanted)[len(scores) - wanted]
        rows = np.flatnonzero(scores >= edge)
    else:
        rows = np.arange(len(scores))
    rows = rows[~np.isin(rows, not_these)]
    return rows[np.argsort(-scores[rows], kind="stable")][:count]
