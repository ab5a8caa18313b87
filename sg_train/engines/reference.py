"""The training step in float64 numpy: the definition that binds every engine.

docs/step.md derives it. Slow and obvious: one window at a time, in the order of the
text.
"""

import numpy as np
from numpy.typing import NDArray

from sg_train.sampling.windows import NO_WORD, Windows


def take_steps(
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    windows: Windows,
    rates: list[float],
    frozen: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
) -> float:
    """Take one step per window, in place.

    Args:
        u: (V, D) input vectors.
        v: (V, D) output vectors.
        windows: N windows.
        rates: the learning rate of each.
        frozen: (V,) bool each, the rows of u and of v that do not move.

    Returns:
        The summed loss, each window's with the weights as they were before its step.
    """
    loss = 0.0
    free_u, free_v = (~rows for rows in frozen or np.zeros((2, len(u)), dtype=bool))
    for row, rate in enumerate(rates):
        contexts = windows.contexts[row][windows.contexts[row] != NO_WORD]
        negatives = windows.negatives[row][windows.negatives[row] != NO_WORD]
        targets = np.concatenate(([windows.centres[row]], negatives))
        labels = np.zeros(len(targets))
        labels[0] = 1
        x = u[contexts] @ v[targets].T
        loss += np.logaddexp(0, np.where(labels == 1, -x, x)).sum()
        c = rate * (labels - 1 / (1 + np.exp(-x)))
        move_u, move_v = c @ v[targets], c.T @ u[contexts]
        # A word that occurs twice moves twice.
        np.add.at(u, contexts, move_u * free_u[contexts, None])
        np.add.at(v, targets, move_v * free_v[targets, None])
    return loss
