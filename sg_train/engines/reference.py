"""The training step in float64 numpy: the definition that binds every engine.

docs/step.md derives it. Slow and obvious: one window at a time, in the order of the
text.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sg_train.sampling.windows import NO_WORD, Windows

Matrix = NDArray[np.float64]
FrozenRows = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def take_steps(
    u: Matrix,
    v: Matrix,
    windows: Windows,
    rates: list[float],
    frozen: FrozenRows | None = None,
    rows: Sequence[NDArray[np.int32]] | None = None,
) -> float:
    """Take one step per window, in place.

    Args:
        u: (U, D) input matrix.
        v: (V, D) output vectors.
        windows: N windows.
        rates: the learning rate of each.
        frozen: (V,) bool each, the rows of u and of v that do not move.
        rows: the rows of u that each of the V words is the mean of; by default, each
            word has its own.

    Returns:
        The summed loss, each window's with the weights as they were before its step.
    """
    loss = 0.0
    free_u, free_v = (~rows for rows in frozen or np.zeros((2, len(v)), dtype=bool))
    for row, rate in enumerate(rates):
        contexts = windows.contexts[row][windows.contexts[row] != NO_WORD]
        targets, labels = _targets(windows, row)
        rows_of = [[word] if rows is None else rows[word] for word in contexts]
        inputs = np.array([u[some].mean(axis=0) for some in rows_of])
        lost, move_u, move_v = _step(inputs, v[targets], labels, rate)
        loss += lost
        # A word that occurs twice moves twice; each row moves by the whole move.
        for some, move, is_free in zip(rows_of, move_u, free_u[contexts], strict=True):
            np.add.at(u, some, move * is_free)
        np.add.at(v, targets, move_v * free_v[targets, None])
    return loss


def take_steps_on_copies(
    u: Matrix,
    v: Matrix,
    windows: Windows,
    rates: list[float],
    sentences: NDArray[np.int64],
    rows: Sequence[NDArray[np.int32]],
    frozen: FrozenRows | None = None,
) -> float:
    """Take one step per window, in place, on copies of the words within reach.

    A word is composed when the windows of its sentence come within reach of it, and its
    rows move when they have left it.

    Args:
        u: (U, D) input matrix.
        v: (V, D) output vectors.
        windows: N windows; each kept word of a sentence is the centre of one.
        rates: the learning rate of each.
        sentences: (N,) the number of each window's sentence.
        rows: the rows of u that each of the V words is the mean of.
        frozen: (V,) bool each, the words of u and the rows of v that do not move.

    Returns:
        The summed loss, as `take_steps` does.
    """
    loss = 0.0
    free_u, free_v = (~rows for rows in frozen or np.zeros((2, len(v)), dtype=bool))
    reach = windows.contexts.shape[1] // 2
    sides = np.delete(np.arange(-reach, reach + 1), reach)
    for number in np.unique(sentences):
        of_sentence = np.flatnonzero(sentences == number)
        words = windows.centres[of_sentence]
        begun: dict[int, Matrix] = {}
        copies: dict[int, Matrix] = {}
        for centre, row in enumerate(of_sentence.tolist()):
            for i in range(len(begun), min(len(words), centre + reach + 1)):
                begun[i] = u[rows[words[i]]].mean(axis=0)
                copies[i] = begun[i].copy()
            places = centre + sides[windows.contexts[row] != NO_WORD]
            targets, labels = _targets(windows, row)
            inputs = np.array([copies[i] for i in places.tolist()])
            lost, move_u, move_v = _step(inputs, v[targets], labels, rates[row])
            loss += lost
            for i, move in zip(places.tolist(), move_u, strict=True):
                copies[i] += move
            np.add.at(v, targets, move_v * free_v[targets, None])
            is_last = centre == len(words) - 1
            for i in sorted(copies) if is_last else {centre - reach} & copies.keys():
                move = copies.pop(i) - begun[i]
                np.add.at(u, rows[words[i]], move * free_u[words[i]])
    return loss


def _targets(windows: Windows, row: int) -> tuple[NDArray[np.int32], Matrix]:
    """Return the centre and the negatives of a window, and their labels."""
    negatives = windows.negatives[row][windows.negatives[row] != NO_WORD]
    targets = np.concatenate(([windows.centres[row]], negatives))
    labels = np.zeros(len(targets))
    labels[0] = 1
    return targets, labels


def _step(
    u: Matrix, v: Matrix, labels: Matrix, rate: float
) -> tuple[float, Matrix, Matrix]:
    """Return the loss of a window, and the moves of its contexts and targets."""
    x = u @ v.T
    loss = np.logaddexp(0, np.where(labels == 1, -x, x)).sum()
    c = rate * (labels - 1 / (1 + np.exp(-x)))
    return float(loss), c @ v, c.T @ u
