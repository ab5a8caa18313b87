"""The kernel: every window of a block, one after another.

The kernel checks nothing: the caller ensures that every id is less than the number of
rows of u and v. With NUMBA_DISABLE_JIT=1 the same code runs as plain Python and checks
each index.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sg_train.engines.fused.compiling import OPTIONS
from sg_train.engines.fused.composed import (
    begin_sentence,
    end_sentence,
    move_on,
)
from sg_train.engines.fused.draws import draw_sentence
from sg_train.engines.fused.frozen import redirect_frozen
from sg_train.engines.fused.gather import (
    begin_windows,
    exclude_collisions,
    find_rows,
    include_collisions,
)
from sg_train.engines.fused.hot_rows import hand_over
from sg_train.engines.fused.layout import Scratch, Shape
from sg_train.engines.fused.step import (
    dots,
    lay_out_slots,
    merge,
    move,
    no_loss,
    slopes,
    total_loss,
)
from sg_train.engines.fused.tables import Draws

_WINDOWS_PER_SUM = 1024  # before float32 sums grow too coarse


@njit(**OPTIONS)
def train_block(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    rates: tuple[float, ...],
    shape: Shape,
    draws: Draws,
    scratch: Scratch,
) -> tuple[float, int]:
    """Train on one block, in place.

    Args:
        u: (rows * R,) float32, the input vectors' rows one after another; the threads'
            own rows may follow.
        v: (rows * R,) float32, the output vectors' rows, likewise.
        ids: (n,) int32, each below V.
        offsets: (sentences + 1,) int64, rising from 0 to n.
        rates: the learning rate at position 0, and its change per position.
        shape: the sizes.
        draws: keys and tables.
        scratch: room for the longest sentence of the block.

    Returns:
        The loss summed over all pairs, and their number.
    """
    total, pairs, windows, seen = 0.0, 0, 0, 0
    sentence, step = scratch.sentence, scratch.step
    loss = no_loss(shape)
    hand_over(u, v, shape, scratch.hot)
    sentence.last_seen[:] = -1
    lay_out_slots(len(step.slots), shape, step)
    for number in range(len(offsets) - 1):
        start, end = offsets[number], offsets[number + 1]
        kept = draw_sentence(ids, start, end, seen, draws, sentence)
        begin_windows(u, v, kept, shape, draws, scratch)
        begin_sentence(u, kept, draws.window, shape, scratch)
        for centre in range(kept):
            low = max(0, centre - sentence.reach[centre])
            high = min(kept - 1, centre + sentence.reach[centre])
            contexts = high - low
            collisions, window = find_rows(centre, low, kept, shape, draws, scratch)

            dots(u, v, contexts, shape, window, step)

            rate = np.float32(rates[0] + rates[1] * sentence.positions[centre])
            exclude_collisions(collisions, shape, draws, window, step)
            loss = slopes(contexts, rate, loss, shape, step)
            include_collisions(collisions, shape, draws, window, step)

            per_tile = (contexts + 1) // 2 * shape.stride
            distinct = contexts
            # Copies of composed vectors are distinct, even those of the same word.
            if sentence.repeats[high] >= seen + low and not len(shape.composed):
                distinct, window = merge(contexts, per_tile, shape, window, scratch)

            redirect_frozen(distinct, shape, window, scratch.frozen)
            move(u, v, distinct, per_tile, shape, window, step)
            move_on(u, centre, kept, draws.window, shape, scratch)

            if distinct < contexts:
                lay_out_slots(contexts, shape, step)
            pairs += contexts
            windows += 1
            if windows % _WINDOWS_PER_SUM == 0:
                total += total_loss(loss, shape, step)
                loss = no_loss(shape)
            if windows % scratch.hot.windows == 0:
                hand_over(u, v, shape, scratch.hot)
        end_sentence(u, kept, draws.window, shape, scratch)
        seen += kept
    total += total_loss(loss, shape, step)
    hand_over(u, v, shape, scratch.hot)
    return total, pairs
