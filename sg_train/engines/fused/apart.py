"""Frequent rows that lie apart, with unused memory between them, while threads train.

A processor that reads a row soon reads the lines behind it, too. Where rows lie side by
side in the order of frequency, these are the lines of another frequent row, which some
other thread is moving. Such lines then travel between the caches for nothing, which
takes a third of the time of two threads that share no cache. So the rows of frequent
words are moved apart before several threads train, and back afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from sg_train.engines.fused.layout import NOT_APART, Apart


@contextmanager
def rows_apart(
    matrices: tuple[NDArray[np.float32], ...], row: int, apart: Apart
) -> Iterator[None]:
    """Hold the rows of frequent words apart while the context lasts.

    Args:
        matrices: u or v or both, each (rows * R,) float32 from `Layout.new_u` or
            `new_v`.
        row: R.
        apart: which rows, and where they go; with `NOT_APART` nothing moves.
    """
    moves = apart != NOT_APART
    places = [_places(rows, row, apart) for rows in matrices] if moves else []
    for side_by_side, spread in places:
        spread[:] = side_by_side
    try:
        yield
    finally:
        for side_by_side, spread in places:
            side_by_side[:] = spread


def _places(
    rows: NDArray[np.float32], row: int, apart: Apart
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return views of the rows side by side and of those apart, each (words, R)."""
    count = apart.end - apart.start
    first = apart.first + apart.start * apart.pitch
    spread = rows[first : first + count * apart.pitch]
    side_by_side = rows[apart.start * row : apart.end * row]
    return side_by_side.reshape(count, row), spread.reshape(count, apart.pitch)[:, :row]
