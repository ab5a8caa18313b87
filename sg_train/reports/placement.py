"""Placement of labels beside points, without overlaps."""

import numpy as np
from numpy.typing import NDArray

_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_DISTANCES = (1.0, 2.0, 3.5)


def place_labels(
    points: NDArray[np.float64],
    sizes: NDArray[np.float64],
    frame: tuple[float, float],
    gap: float,
    taken: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Find a place for each label beside its point; earlier labels choose first.

    Args:
        points: (n, 2) positions of the points.
        sizes: (n, 2) width and height of the labels.
        frame: width and height of the picture, from (0, 0); labels stay inside.
        gap: least distance from a point to its label, in the same units.
        taken: (m, 4) boxes where no label may lie: their lowest x and y, then their
            highest.

    Returns:
        (n, 2) float64, the labels' centres; NaN for labels that did not fit.

    >>> point, size = np.array([[5.0, 5.0]]), np.array([[2.0, 2.0]])
    >>> place_labels(point, size, (10, 10), 1.0)
    array([[7., 5.]])
    """
    centres = np.full((len(points), 2), np.nan)
    boxes = np.empty((0, 4)) if taken is None else taken
    lows, highs = boxes[:, :2], boxes[:, 2:]
    for number, (point, size) in enumerate(zip(points, sizes, strict=True)):
        candidates = np.array(
            [
                point + np.array(direction) * (size / 2 + gap * distance)
                for distance in _DISTANCES
                for direction in _DIRECTIONS
            ]
        )
        low, high = candidates - size / 2, candidates + size / 2
        fits = (low >= 0).all(axis=1) & (high <= frame).all(axis=1)
        over = (low[:, None] < highs) & (high[:, None] > lows)
        fits &= ~over.all(axis=2).any(axis=1)
        on_point = (low[:, None] < points) & (high[:, None] > points)
        covered = on_point.all(axis=2).sum(axis=1)
        if fits.any():
            # Cover as few points as possible; among equals, take the nearest place.
            best = int(np.argmin(np.where(fits, covered, len(points) + 1)))
            centres[number] = candidates[best]
            lows = np.concatenate((lows, low[best : best + 1]))
            highs = np.concatenate((highs, high[best : best + 1]))
    return centres
