"""The training step in float64 numpy, as design and formula say it."""

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
    """Take one step a window, in place, and return the summed loss."""
    loss = 0.0
    free_u, free_v = (~rows for rows in frozen or np.zeros((2, len(u)), dtype=bool))
    for row, rate in enumerate(rates):
        contexts = windows.contexts[row][windows.contexts[row] != NO_WORD]
        negatives = windows.negatives[row][windows.negatives[row] != NO_WORD]
        targets = np.concatenate(([windows.centres[row]], negatives))
        labels = np.zeros(len(targets))
        labels[0] = 1
        dots = u[contexts] @ v[targets].T
        loss += np.logaddexp(0, np.where(labels == 1, -dots, dots)).sum()
        slopes = rate * (labels - 1 / (1 + np.exp(-dots)))
        move_u, move_v = slopes @ v[targets], slopes.T @ u[contexts]
        # A word that occurs twice moves twice.
        np.add.at(u, contexts, move_u * free_u[contexts, None])
        np.add.at(v, targets, move_v * free_v[targets, None])
    return loss
