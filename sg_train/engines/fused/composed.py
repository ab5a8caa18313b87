"""Input vectors composed of several rows of u, such as those of a word's n-grams.

Windows read and move a copy of a kept word's composed vector. The copy is made when
the windows of the sentence come within reach of the word. When they have left it, its
move is added to each of the word's rows, in full (docs/step.md gives the reason). So a
vector is composed once per kept word and not once per pair, from rows that are at most
2 * window + 1 kept words old.

The copies of the words within reach lie in a ring of rows behind the others of u.
"""

import numpy as np
from numpy.typing import NDArray

from sg_train.engines.fused.compiling import inline
from sg_train.engines.fused.layout import LINE, Scratch, Shape
from sg_train.engines.simd import (
    add_products,
    fill,
    load_columns,
    prefetch,
    store_columns,
    zeros,
)

# Words between prefetching where a word's rows are listed, then the list, and using it.
_STARTS_AHEAD = 4
_ROWS_AHEAD = 2


@inline
def copy_row(i: int, shape: Shape, scratch: Scratch) -> np.int64:
    """Return the row of u that holds the copy of kept word i of a sentence."""
    composed = scratch.composed
    return (composed.first + np.int64(i & (composed.slots - 1))) * shape.row


@inline
def begin_sentence(
    u: NDArray[np.float32],
    kept: int,
    reach: int,
    shape: Shape,
    scratch: Scratch,
) -> None:
    """Compose the words within reach of a sentence's first window."""
    if len(shape.composed):
        for i in range(min(kept, reach + 1)):
            _compose(u, i, shape, scratch)


@inline
def move_on(
    u: NDArray[np.float32],
    centre: int,
    kept: int,
    reach: int,
    shape: Shape,
    scratch: Scratch,
) -> None:
    """Hand back the word that the next window leaves; compose the one it reaches."""
    if len(shape.composed):
        if centre >= reach:
            _hand_back(u, centre - reach, shape, scratch)
        if centre + reach + 1 < kept:
            _compose(u, centre + reach + 1, shape, scratch)


@inline
def end_sentence(
    u: NDArray[np.float32], kept: int, reach: int, shape: Shape, scratch: Scratch
) -> None:
    """Hand back the words that are still within reach when a sentence ends."""
    if len(shape.composed):
        for i in range(max(0, kept - reach), kept):
            _hand_back(u, i, shape, scratch)


@inline
def parts_of(
    i: int, kept: int, shape: Shape, scratch: Scratch
) -> tuple[np.int64, np.int64]:
    """Return where the rows of kept word i begin and end in `Composed.rows`.

    Beyond the end of the sentence there are none.
    """
    if not len(shape.composed) or i >= kept:
        return np.int64(0), np.int64(0)
    word, starts = scratch.sentence.words[i], scratch.composed.starts
    return starts[word], starts[word + 1]


@inline
def prefetch_lists(i: int, kept: int, shape: Shape, scratch: Scratch) -> None:
    """Prefetch the lists of rows that are read soon after those of kept word i."""
    if len(shape.composed):
        composed, words = scratch.composed, scratch.sentence.words
        if i + _STARTS_AHEAD < kept:
            prefetch(composed.starts, np.int64(words[i + _STARTS_AHEAD]))
        first, last = parts_of(i + _ROWS_AHEAD, kept, shape, scratch)
        if first < last:
            prefetch(composed.rows, first)
            prefetch(composed.rows, min(first + LINE, last - 1))


@inline
def _compose(u: NDArray[np.float32], i: int, shape: Shape, scratch: Scratch) -> None:
    """Set the copy of kept word i to the mean of the word's rows."""
    block, rest = shape.composed, shape.composed_last
    column = 0
    while column + len(block) * len(shape.lanes) <= shape.row:
        _compose_columns(u, i, column, block, shape, scratch)
        column += len(block) * len(shape.lanes)
    if len(rest):
        _compose_columns(u, i, column, rest, shape, scratch)


@inline
def _compose_columns(
    u: NDArray[np.float32],
    i: int,
    column: int,
    like: tuple[int, ...],
    shape: Shape,
    scratch: Scratch,
) -> None:
    """Compose len(like) vectors of columns, whose sums stay in registers."""
    composed, lanes = scratch.composed, shape.lanes
    first, last = parts_of(i, i + 1, shape, scratch)
    one, sums = (fill(np.float32(1), lanes),), zeros(like, lanes)
    for part in range(first, last):
        row = np.int64(composed.rows[part]) * shape.row
        sums = add_products(one, load_columns(u, row + column, like, lanes), sums)
    share = (fill(np.float32(1) / np.float32(last - first), lanes),)
    means = add_products(share, sums, zeros(like, lanes))
    copy = copy_row(i, shape, scratch)
    store_columns(u, copy + column, means)
    store_columns(composed.begun, copy - composed.first * shape.row + column, means)


@inline
def _hand_back(u: NDArray[np.float32], i: int, shape: Shape, scratch: Scratch) -> None:
    """Add the move of the copy of kept word i to each of the word's rows."""
    if len(shape.frozen) and scratch.frozen.u[scratch.sentence.words[i]]:
        return
    block, rest = shape.composed, shape.composed_last
    column = 0
    while column + len(block) * len(shape.lanes) <= shape.row:
        _hand_back_columns(u, i, column, block, shape, scratch)
        column += len(block) * len(shape.lanes)
    if len(rest):
        _hand_back_columns(u, i, column, rest, shape, scratch)


@inline
def _hand_back_columns(
    u: NDArray[np.float32],
    i: int,
    column: int,
    like: tuple[int, ...],
    shape: Shape,
    scratch: Scratch,
) -> None:
    """Hand back len(like) vectors of columns."""
    composed, lanes = scratch.composed, shape.lanes
    one, minus_one = (fill(np.float32(1), lanes),), (fill(np.float32(-1), lanes),)
    copy = copy_row(i, shape, scratch)
    begun = load_columns(
        composed.begun, copy - composed.first * shape.row + column, like, lanes
    )
    moves = add_products(minus_one, begun, load_columns(u, copy + column, like, lanes))
    first, last = parts_of(i, i + 1, shape, scratch)
    for part in range(first, last):
        at = np.int64(composed.rows[part]) * shape.row + column
        store_columns(u, at, add_products(one, load_columns(u, at, like, lanes), moves))
