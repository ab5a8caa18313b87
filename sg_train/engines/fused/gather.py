"""The rows of windows: where the vectors of their contexts and targets lie.

The contexts of a window are part of a list of all kept words of the sentence except the
centre, in which a single entry changes from one window to the next. The targets of a
window are found two windows before, so that their rows can be prefetched; the cells of
the table that negatives are found in are prefetched earlier still.
"""

import numpy as np
from numpy.typing import NDArray

from sg_train.engines.fused.compiling import inline
from sg_train.engines.fused.composed import copy_row, parts_of, prefetch_lists
from sg_train.engines.fused.draws import negative, prefetch_negatives
from sg_train.engines.fused.layout import (
    EXCLUDED,
    LINE,
    WINDOWS,
    Scratch,
    Shape,
    Step,
    Window,
)
from sg_train.engines.fused.tables import Draws
from sg_train.engines.simd import prefetch_rows, take

_AHEAD = 2  # windows between prefetching a row and using it
_FAR_AHEAD = 6  # windows between prefetching a negative's cell and using its row


@inline
def _input_row(i: int, shape: Shape, scratch: Scratch) -> np.int64:
    """Return the row of u that holds the input vector of kept word i of a sentence."""
    if len(shape.composed):
        return copy_row(i, shape, scratch)
    return _row_of(scratch.sentence.words[i], shape, scratch)


@inline
def _row_of(word: np.int32 | np.int64, shape: Shape, scratch: Scratch) -> np.int64:
    """Return a word's row in u or v: the thread's copy, or one apart, or its own."""
    hot, apart = scratch.hot, scratch.apart
    shift = hot.shift if word < hot.size else 0
    row = (np.int64(word) + shift) * shape.row
    row_apart = apart.first + np.int64(word) * apart.pitch
    # Both are computed, since a branch would be unpredictable.
    return row_apart if apart.start <= word < apart.end else row


@inline
def begin_windows(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    kept: int,
    shape: Shape,
    draws: Draws,
    scratch: Scratch,
) -> None:
    """List the contexts of a sentence; find and prefetch its first windows' rows."""
    for i in range(min(kept, _FAR_AHEAD)):
        prefetch_negatives(i, draws, scratch.sentence)
    for i in range(kept):
        scratch.rows.contexts[i] = _input_row(min(i + 1, kept - 1), shape, scratch)
    for i in range(min(kept, _AHEAD)):
        _find_targets(i, shape, draws, scratch)
    _prefetch_first(u, v, kept, shape, draws, scratch)


@inline
def find_rows(
    centre: int,
    low: int,
    kept: int,
    shape: Shape,
    draws: Draws,
    scratch: Scratch,
) -> tuple[int, Window]:
    """Find a window; return how many of its negatives equal the centre, and its rows.

    To be called for the windows of a sentence one after another.

    Args:
        centre: the kept word in the middle.
        low: the first kept word of the window.
        kept: number of kept words in the sentence.
        shape: the sizes.
        draws: for the negatives of windows ahead.
        scratch: holds the rows.
    """
    rows, ahead = scratch.rows, centre + _AHEAD
    if centre > 0:
        rows.contexts[centre - 1] = _input_row(centre - 1, shape, scratch)
    if ahead < kept:
        _find_targets(ahead, shape, draws, scratch)
    if centre + _FAR_AHEAD < kept:
        prefetch_negatives(centre + _FAR_AHEAD, draws, scratch.sentence)
    entering = ahead + draws.window
    prefetch_lists(entering, kept, shape, scratch)
    first_part, last_part = parts_of(entering, kept, shape, scratch)
    window = Window(
        contexts=rows.contexts[low:],
        targets=rows.targets[_targets_at(centre, scratch) :][: len(rows.targets_to)],
        contexts_to=rows.contexts_to,
        targets_to=rows.targets_to,
        coming_targets=rows.targets[_targets_at(ahead, scratch) :],
        coming_context=_input_row(min(kept - 1, entering), shape, scratch),
        coming_parts=scratch.composed.rows[first_part:last_part],
    )
    collisions = 0
    for k in range(1, 1 + draws.negatives):
        collisions += int(window.targets[k] == window.targets[0])
    return collisions, window


@inline
def _targets_at(centre: int, scratch: Scratch) -> int:
    return (centre & (WINDOWS - 1)) * len(scratch.rows.targets_to)


@inline
def _find_targets(centre: int, shape: Shape, draws: Draws, scratch: Scratch) -> None:
    """Find the targets of a window of this sentence."""
    sentence, targets = scratch.sentence, scratch.rows.targets
    first = _targets_at(centre, scratch)
    own = _row_of(sentence.words[centre], shape, scratch)
    targets[first] = own
    for k in range(draws.negatives):
        word = negative(centre, k, draws, sentence)
        targets[first + 1 + k] = _row_of(word, shape, scratch)
    for k in range(1 + draws.negatives, len(scratch.rows.targets_to)):
        targets[first + k] = own


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
def _prefetch_first(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    kept: int,
    shape: Shape,
    draws: Draws,
    scratch: Scratch,
) -> None:
    """Prefetch the rows of a sentence for which `prefetch_coming` comes too late."""
    count = len(scratch.rows.targets_to)
    for i in range(min(kept, _AHEAD)):
        targets = scratch.rows.targets[_targets_at(i, scratch) :]
        for column in range(0, shape.row, LINE):
            _prefetch_targets(v, targets, count, column, shape)
    for i in range(min(kept, _AHEAD + draws.window)):
        if not len(shape.composed):
            _prefetch_row(u, _input_row(i, shape, scratch), shape)
        elif not len(shape.contended):
            first, last = parts_of(i, kept, shape, scratch)
            for part in range(first, last):
                row = np.int64(scratch.composed.rows[part]) * shape.row
                _prefetch_row(u, row, shape)


@inline
def prefetch_coming(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    column: int,
    shape: Shape,
    window: Window,
) -> None:
    """Prefetch a column of the rows that a later window needs.

    To be called for every LINE columns. Of the rows of a composed vector, each call
    prefetches some in full, since that takes fewer instructions.

    Where many threads move the same rows, lines are fetched for writing: a line that
    another thread has written would be fetched twice, to read and to write it. The
    rows of composed vectors, which are many, are then not prefetched.
    """
    if not len(shape.composed):
        prefetch_rows(u, (window.coming_context,), column, shape.contended)
    elif not len(shape.contended):
        calls = (shape.row + LINE - 1) // LINE
        for part in range(column // LINE, len(window.coming_parts), calls):
            _prefetch_row(u, np.int64(window.coming_parts[part]) * shape.row, shape)
    count = len(window.targets)
    _prefetch_targets(v, window.coming_targets, count, column, shape)


@inline
def _prefetch_row(u: NDArray[np.float32], row: np.int64, shape: Shape) -> None:
    for column in range(0, shape.row, LINE):
        prefetch_rows(u, (row,), column, shape.contended)


@inline
def _prefetch_targets(
    v: NDArray[np.float32],
    targets: NDArray[np.int64],
    count: int,
    column: int,
    shape: Shape,
) -> None:
    """Prefetch a column of the first `count` rows of `targets`."""
    prefetch_rows(v, take(targets, 0, shape.tile), column, shape.contended)
    if len(shape.more_tiles):
        for first in range(len(shape.tile), count, len(shape.tile)):
            more = take(targets, first, shape.tile)
            prefetch_rows(v, more, column, shape.contended)
