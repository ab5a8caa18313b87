"""Arithmetic of questions to vectors, on arrays."""

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import AnalogyMethod

_TINY = np.float32(1e-6)  # keeps 3CosMul from dividing by zero


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, D) rows scaled to length 1; rows of zeros stay so."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    inverse = np.zeros_like(lengths)
    np.divide(1, lengths, out=inverse, where=lengths > 0)
    # In float64 first: a tiny row's inverse length may be beyond float32.
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


def best_rows(
    scores: NDArray[np.float32], not_these: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Return the rows with the highest scores, the best first, ties in their order.

    Args:
        scores: (n,) of row 0 to n - 1.
        not_these: rows to leave out.
        count: how many to return, at most.
    """
    wanted = min(count + len(not_these), len(scores))
    if wanted < len(scores):  # ties at the edge are all let in, and sorted below
        edge = np.partition(scores, len(scores) - wanted)[len(scores) - wanted]
        rows = np.flatnonzero(scores >= edge)
    else:
        rows = np.arange(len(scores))
    rows = rows[~np.isin(rows, not_these)]
    return rows[np.argsort(-scores[rows], kind="stable")][:count]
