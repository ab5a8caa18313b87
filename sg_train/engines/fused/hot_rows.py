"""Copies of the most frequent words' rows, one set per thread.

Threads share u and v, but the rows of hot words would move between their caches at
nearly every touch. So each thread trains its own copies of these rows, and after some
windows adds the changes of its copies to the originals: often enough that all rows stay
close to where a single thread would have them (compare Zhang, Hsieh and Akella 2016).
"""

import numpy as np
from numpy.typing import NDArray

from sg_train.engines.fused.compiling import inline
from sg_train.engines.fused.layout import HotRows, Shape
from sg_train.engines.simd import load, store


@inline
def hand_over(
    u: NDArray[np.float32], v: NDArray[np.float32], shape: Shape, hot: HotRows
) -> None:
    """Add the changes of the copies to the originals, and copy the originals again.

    Copies that have not moved since, as before a block, are only refreshed.
    """
    first = hot.shift * shape.row
    for rows, handed_over in ((u, hot.handed_over_u), (v, hot.handed_over_v)):
        for at in range(0, len(handed_over), len(shape.lanes)):
            moved_by = load(rows, first + at, shape.lanes) - load(
                handed_over, at, shape.lanes
            )
            original = load(rows, at, shape.lanes) + moved_by
            store(rows, at, original)
            store(rows, first + at, original)
            store(handed_over, at, original)
