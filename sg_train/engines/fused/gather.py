"""The rows of a window: where the vectors of its contexts and targets lie."""

import numpy as np
from numpy.typing import NDArray

from sg_train.engines.fused.compiling import inline
from sg_train.engines.fused.composed import copy_row
from sg_train.engines.fused.layout import (
    EXCLUDED,
    HotRows,
    Scratch,
    Shape,
    Step,
    Window,
)
from sg_train.engines.fused.tables import Draws
from sg_train.engines.simd import prefetch

_AHEAD = 2  # windows between prefetching a row and using it


@inline
def _input_row(i: int, shape: Shape, scratch: Scratch) -> np.int64:
    """Return the row of u that holds the input vector of kept word i of a sentence."""
    if len(shape.composed):
        return copy_row(i, shape, scratch)
    return _row_of(scratch.sentence.words[i], shape, scratch.hot)


@inline
def _row_of(word: np.int32, shape: Shape, hot: HotRows) -> np.int64:
    """Return a word's row in u or v: that of the thread's copy, if it has one."""
    shift = hot.shift if word < hot.size else 0
    return (np.int64(word) + shift) * shape.row


@inline
def find_rows(
    centre: int, low: int, high: int, shape: Shape, draws: Draws, scratch: Scratch
) -> int:
    """List the rows of a window; return how many negatives equal the centre.

    Args:
        centre: the kept word in the middle.
        low: the first kept word of the window.
        high: the last one.
        shape: the sizes.
        draws: for K.
        scratch: receives the rows.
    """
    sentence, window, hot = scratch.sentence, scratch.window, scratch.hot
    contexts, collisions = 0, 0
    for i in range(low, high + 1):
        window.contexts[contexts] = _input_row(i, shape, scratch)
        contexts += int(i != centre)
    window.contexts[contexts] = window.contexts[0]  # completes an odd pair
    own = sentence.words[centre]
    window.targets[0] = _row_of(own, shape, hot)
    for k in range(draws.negatives):
        word = sentence.negatives[k * len(sentence.words) + centre]
        window.targets[1 + k] = _row_of(word, shape, hot)
        collisions += int(word == own)
    for k in range(1 + draws.negatives, len(window.targets)):
        window.targets[k] = window.targets[0]
    return collisions


@inline
def exclude_collisions(
    collisions: int, shape: Shape, draws: Draws, window: Window, step: Step
) -> None:
    """Exclude the negatives that equal the centre from this step."""
    if collisions:
        _set_bias(EXCLUDED, shape, draws, window, step)


@inline
def include_collisions(
    collisions: int, shape: Shape, draws: Draws, window: Window, step: Step
) -> None:
    """Undo `exclude_collisions`."""
    if collisions:
        _set_bias(np.float32(0), shape, draws, window, step)


@inline
def _set_bias(
    value: np.float32, shape: Shape, draws: Draws, window: Window, step: Step
) -> None:
    size = len(shape.tile)
    for target in range(1, 1 + draws.negatives):
        if window.targets[target] == window.targets[0]:
            lane = target // size * shape.stride + target % size
            step.bias[lane] = value
            step.bias[lane + size] = value
            step.bias[len(step.signs) + lane] = value


@inline
def find_coming(
    centre: int, kept: int, shape: Shape, draws: Draws, scratch: Scratch
) -> None:
    """List the rows that an upcoming window needs and that may not be cached yet."""
    sentence, coming, hot = scratch.sentence, scratch.window.coming, scratch.hot
    ahead = min(kept - 1, centre + _AHEAD)
    entering = min(kept - 1, ahead + draws.window)
    coming[0] = _input_row(entering, shape, scratch)
    coming[1] = _row_of(sentence.words[ahead], shape, hot)
    for k in range(draws.negatives):
        word = sentence.negatives[k * len(sentence.words) + ahead]
        coming[2 + k] = _row_of(word, shape, hot)


@inline
def prefetch_coming(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    column: int,
    window: Window,
) -> None:
    """Prefetch a column of the coming rows."""
    prefetch(u, window.coming[0] + column)
    for i in range(1, len(window.coming)):
        prefetch(v, window.coming[i] + column)
