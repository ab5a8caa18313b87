"""The fused kernel: the training step, window by window, on arrays alone.

    W  lanes of a vector               R  floats of a row: the dimension, padded to W
    m  context words of a window       K  negatives
    T  targets of a tile               C  tiles: C * T >= 1 + K, the centre first
    S  room for the 2 * T numbers of a pair of contexts, in whole vectors
    H  hot words, the most frequent ones

For each sentence: keep words by subsampling, draw each centre's reach and negatives.
For each centre, with u of its m context words and v of its 1 + K targets:

    1. dots         x = u . v                      for all m * (1 + K) pairs
    2. slopes       y = -x for the centre, x for negatives
                    loss += log(1 + exp(y))        = -log sigmoid(-y)
                    c = rate * (+1 for the centre, -1 for negatives) * sigmoid(y)
    3. merge        the c of a context word that occurs twice are added up
    4. move         u += sum over targets of c * v,   v += sum over contexts of c * u
                    with u and v as they were before the window

Rows that are frozen are read like all others; what would move them goes to a spare row.

Threads share u and v, but would take the rows of hot words from one another at nearly
every touch. Of these each thread trains copies, and hands over after some windows what
its own copies have moved by: often enough that all rows stay close to what they would
be otherwise.

The draws are those of `sampling.draws`, number for number. Nothing is checked in here:
the caller has seen to it that every id lies below the rows of u and v.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sg_train.engines import vector
from sg_train.engines.vector import (
    add,
    add_products,
    add_scaled,
    add_to_rows,
    add_weighted,
    divide,
    exp_of_minus,
    exponent,
    fill,
    load,
    load_rows,
    mantissa,
    multiply,
    multiply_add,
    positive_part,
    prefetch,
    spread,
    store,
    store_rows,
    store_sums,
    subtract,
    take,
    where_positive,
    zeros,
)
from sg_train.sampling import draws as plain_draws
from sg_train.sampling.draws import GOLDEN, MULTIPLIERS

_GOLDEN = np.uint64(GOLDEN)
_FIRST, _SECOND = (np.uint64(multiplier) for multiplier in MULTIPLIERS)
_U27, _U30, _U31, _U32 = (np.uint64(shift) for shift in (27, 30, 31, 32))
_LOW_HALF = np.uint64(0xFFFFFFFF)

SLOTS = 4096  # of the table that notices repeats; a power of two
WINDOWS_A_SUM = 1024
AHEAD = 2  # windows: how long before it is needed a row is asked for
NOWHERE = np.float32(-1e30)  # the y of a lane that takes no part: loss 0, c 0


class Shape(NamedTuple):
    """The sizes that code is compiled for; a tuple's length is part of its type."""

    row: int  # R
    stride: int  # S: 2 * T, rounded up to whole vectors
    lanes: tuple[int, ...]  # W zeros
    tile: tuple[int, ...]  # T zeros
    frozen: tuple[int, ...]  # a zero if rows may be frozen, else nothing


class Draws(NamedTuple):
    """What decides the draws in a block; see `sampling.windows.SamplingPlan`."""

    keep_key: np.uint64
    window_key: np.uint64
    negative_key: np.uint64
    keep_limits: NDArray[np.uint32]  # the last one holds for all words from there on
    negative_table: NDArray[np.uint64]  # (V,) alias in the high half, coin in the low
    window: int
    dynamic: bool
    negatives: int  # K


class Copies(NamedTuple):
    """Rows that follow those of the vocabulary in u as in v, and are one thread's."""

    hot: int  # H
    shift: int  # rows between a hot word's row and its copy
    windows: int  # from one hand-over to the next
    given_u: NDArray[np.float32]  # (H * R,) the copies after the last hand-over
    given_v: NDArray[np.float32]  # (H * R,)
    spare: int  # first place of a row that nobody reads


class Scratch(NamedTuple):
    """Room for one thread's work; what is written first in a sentence or window."""

    bits: NDArray[np.uint64]  # (longest,) of draws
    words: NDArray[np.int32]  # (longest,) the kept words of a sentence
    places: NDArray[np.int32]  # (longest,) their positions in the block
    reach: NDArray[np.int32]  # (longest,) words to each side
    repeats: NDArray[np.int64]  # (longest,) see _note_repeats
    negatives: NDArray[np.int32]  # (K * longest,)
    last_seen: NDArray[np.int64]  # (SLOTS,)
    contexts: NDArray[np.int64]  # (2 * window + 1,) first place of each row of u
    slots: NDArray[np.int64]  # (2 * window + 1,) where a context's c are in `slopes`
    targets: NDArray[np.int64]  # (C * T,) first place of each row of v
    slopes: NDArray[np.float32]  # (C * (window + 1) * S,) dots, then c
    signs: NDArray[np.float32]  # (C * S,) -1 in the centre's lanes, else 1
    bias: NDArray[np.float32]  # (2 * C * S,) NOWHERE or 0: full pairs, then odd ones
    held_u: NDArray[np.float32]  # ((2 * window + 1) * W,)
    held_v: NDArray[np.float32]  # (C * T * W,)
    held_rows: NDArray[np.int64]  # (C * T,) multiples of W
    coming: NDArray[np.int64]  # (2 + K,) first place of rows to prefetch
    context_goals: NDArray[np.int64]  # (2 * window + 1,) where rows of u are written
    target_goals: NDArray[np.int64]  # (C * T,) where rows of v are written
    frozen_u: NDArray[np.bool_]  # (V,) which rows are frozen, where some are
    frozen_v: NDArray[np.bool_]  # (V,)
    copies: Copies


# Without _nrt=False numba counts references to arrays in every window.
_options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
# Without wrappers only compiled code can call them, and compiling takes half the time.
_no_wrappers: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_inline = njit(forceinline=True, **_no_wrappers, **_options)


def _versioned(function: Callable[..., Any]) -> Callable[..., Any]:
    """Name the version of the code, lest numba's cache on disk serve an older one.

    numba itself notices changes in this file alone.
    """
    sources = (__file__, vector.__file__, plain_draws.__file__)
    code = b"".join(Path(source).read_bytes() for source in sources)
    function.__qualname__ += f"_{hashlib.sha256(code).hexdigest()[:12]}"
    return function


@_inline
def _bits(key: np.uint64, place: int) -> np.uint64:
    """Return the 64 random bits at a place of a stream; see `sampling.draws`."""
    bits = key + (np.uint64(place) + np.uint64(1)) * _GOLDEN
    bits = (bits ^ (bits >> _U30)) * _FIRST
    bits = (bits ^ (bits >> _U27)) * _SECOND
    return bits ^ (bits >> _U31)


@_inline
def _keep_words(
    ids: NDArray[np.int32], start: int, end: int, draws: Draws, scratch: Scratch
) -> int:
    """Subsample a sentence; return how many words are kept.

    Here as below, draws have loops of their own, which the compiler vectorises.
    """
    for i in range(end - start):
        scratch.bits[i] = _bits(draws.keep_key, start + i)
    kept, last = 0, len(draws.keep_limits) - 1
    for i in range(end - start):
        word = ids[start + i]
        scratch.words[kept] = word
        scratch.places[kept] = start + i
        limit = draws.keep_limits[min(word, last)]
        kept += int(scratch.bits[i] >> _U32 <= limit)
    return kept


@_inline
def _draw_reaches(kept: int, draws: Draws, scratch: Scratch) -> None:
    """Draw how far each centre of a sentence looks."""
    for i in range(kept):
        high = _bits(draws.window_key, scratch.places[i]) >> _U32
        drawn = np.int32((high * np.uint64(draws.window)) >> _U32)
        scratch.reach[i] = drawn + 1 if draws.dynamic else draws.window


@_inline
def _draw_negatives(kept: int, draws: Draws, scratch: Scratch) -> None:
    """Draw the negatives of a sentence's centres: first all with k = 0, and so on."""
    count, cells = draws.negatives, np.uint64(len(draws.negative_table))
    longest = len(scratch.words)
    for k in range(count):
        for i in range(kept):
            place = np.int64(scratch.places[i]) * count + k
            scratch.bits[i] = _bits(draws.negative_key, place)
        for i in range(kept):
            bits = scratch.bits[i]
            cell = ((bits >> _U32) * cells) >> _U32
            entry = draws.negative_table[cell]
            alias = entry >> _U32
            # All ones if the coin shows the cell's own word: a branch would be a toss.
            own = np.int64((bits & _LOW_HALF) - (entry & _LOW_HALF)) >> 63
            word = np.int64(alias) ^ (np.int64(cell ^ alias) & own)
            scratch.negatives[k * longest + i] = word


@_inline
def _note_repeats(kept: int, seen: int, scratch: Scratch) -> None:
    """Prepare to tell cheaply that no word stands in a window twice.

    `repeats[i]` becomes the last place, counted from the start of the block, at which a
    word of the sentence up to i was seen that occurs again up to i. So a window from
    `low` to `high` can hold a word twice only if repeats[high] >= seen + low. Words
    that share a slot of the table pass for repeats; to merge none is no harm.
    """
    repeat = np.int64(-1)
    for i in range(kept):
        slot = scratch.words[i] & (SLOTS - 1)
        repeat = max(repeat, scratch.last_seen[slot])
        scratch.last_seen[slot] = seen + i
        scratch.repeats[i] = repeat


@_inline
def _draw_sentence(
    ids: NDArray[np.int32],
    start: int,
    end: int,
    seen: int,
    draws: Draws,
    scratch: Scratch,
) -> int:
    """Make all draws of a sentence; return how many words are kept."""
    kept: int = _keep_words(ids, start, end, draws, scratch)
    _draw_reaches(kept, draws, scratch)
    _draw_negatives(kept, draws, scratch)
    _note_repeats(kept, seen, scratch)
    return kept


@_inline
def _row_of(word: np.int32, shape: Shape, scratch: Scratch) -> np.int64:
    """Return the first place of a word's row: of the copy, if there is one."""
    copies = scratch.copies
    shift = copies.shift if word < copies.hot else 0
    return (np.int64(word) + shift) * shape.row


@_inline
def _find_rows(
    centre: int, low: int, high: int, shape: Shape, draws: Draws, scratch: Scratch
) -> int:
    """List the rows of a window; return how many negatives equal the centre."""
    contexts, collisions = 0, 0
    for i in range(low, high + 1):
        scratch.contexts[contexts] = _row_of(scratch.words[i], shape, scratch)
        contexts += int(i != centre)
    scratch.contexts[contexts] = scratch.contexts[0]  # fills up an odd pair
    own = scratch.words[centre]
    scratch.targets[0] = _row_of(own, shape, scratch)
    for k in range(draws.negatives):
        word = scratch.negatives[k * len(scratch.words) + centre]
        scratch.targets[1 + k] = _row_of(word, shape, scratch)
        collisions += int(word == own)
    for k in range(1 + draws.negatives, len(scratch.targets)):
        scratch.targets[k] = scratch.targets[0]
    return collisions


@_inline
def _mark_collisions(
    collisions: int, mark: np.float32, shape: Shape, draws: Draws, scratch: Scratch
) -> None:
    """Set the bias of the negatives that equal the centre."""
    if not collisions:
        return
    size = len(shape.tile)
    for target in range(1, 1 + draws.negatives):
        if scratch.targets[target] == scratch.targets[0]:
            lane = target // size * shape.stride + target % size
            scratch.bias[lane] = mark
            scratch.bias[lane + size] = mark
            scratch.bias[len(scratch.signs) + lane] = mark


@_inline
def _find_coming(
    centre: int, kept: int, shape: Shape, draws: Draws, scratch: Scratch
) -> None:
    """List the rows that a window soon to come needs and that may not be near yet."""
    coming = min(kept - 1, centre + AHEAD)
    entering = min(kept - 1, coming + draws.window)
    scratch.coming[0] = _row_of(scratch.words[entering], shape, scratch)
    scratch.coming[1] = _row_of(scratch.words[coming], shape, scratch)
    for k in range(draws.negatives):
        word = scratch.negatives[k * len(scratch.words) + coming]
        scratch.coming[2 + k] = _row_of(word, shape, scratch)


@_inline
def _prefetch(
    u: NDArray[np.float32], v: NDArray[np.float32], column: int, scratch: Scratch
) -> None:
    """Ask for a column of the coming rows."""
    prefetch(u, scratch.coming[0] + column)
    for i in range(1, len(scratch.coming)):
        prefetch(v, scratch.coming[i] + column)


@_inline
def _dots(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    contexts: int,
    shape: Shape,
    scratch: Scratch,
) -> None:
    """Step 1: two contexts at a time with the T targets of a tile."""
    place = 0
    for first in range(0, len(scratch.targets), len(shape.tile)):
        targets = take(scratch.targets, first, shape.tile)
        for i in range(0, contexts, 2):
            pair = take(scratch.contexts, i, (0, 0))
            sums = zeros(shape.tile + shape.tile, shape.lanes)
            for column in range(0, shape.row, len(shape.lanes)):
                us = load_rows(u, pair, column, shape.lanes)
                vs = load_rows(v, targets, column, shape.lanes)
                sums = add_products(us, vs, sums)
            store_sums(scratch.slopes, place, sums)
            place += shape.stride


@_inline
def _add_loss(y: Any, whole: Any, loss: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Add the loss log(1 + exp(y)) of a vector of pairs, given 1 + exp(-abs(y)).

    It is max(y, 0) + log(1 + exp(-abs(y))). The second parts are kept as a product.
    """
    product, exponents, linear = loss
    return multiply(product, whole), exponents, add(linear, positive_part(y))


@_inline
def _split_product(loss: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Keep the product of a loss apart as mantissa and exponent, lest it overflow."""
    product, exponents, linear = loss
    return mantissa(product), add(exponents, exponent(product)), linear


@_inline
def _slopes(
    contexts: int,
    rate: np.float32,
    loss: tuple[Any, Any, Any],
    shape: Shape,
    scratch: Scratch,
) -> tuple[Any, Any, Any]:
    """Step 2: turn dots into c, and take the loss along."""
    one = fill(np.float32(1), shape.lanes)
    rates = fill(-rate, shape.lanes)
    place = 0
    for first in range(0, len(scratch.signs), shape.stride):
        for i in range(0, contexts, 2):
            if i % 64 == 0:  # after at most 32 * 3 vectors of numbers up to 2
                loss = _split_product(loss)
            bias = first if i + 1 < contexts else first + len(scratch.signs)
            for lane in range(0, shape.stride, len(shape.lanes)):
                sign = load(scratch.signs, first + lane, shape.lanes)
                mark = load(scratch.bias, bias + lane, shape.lanes)
                y = multiply_add(load(scratch.slopes, place, shape.lanes), sign, mark)
                small = exp_of_minus(y)
                whole = add(one, small)
                sigmoid = divide(where_positive(y, one, small), whole)
                store(scratch.slopes, place, multiply(multiply(rates, sign), sigmoid))
                loss = _add_loss(y, whole, loss)
                place += len(shape.lanes)
    return loss


@_inline
def _total(loss: tuple[Any, Any, Any], shape: Shape, scratch: Scratch) -> float:
    """Return the loss that a product, its exponents and a sum hold between them."""
    product, exponents, linear = loss
    width = len(shape.lanes)
    total = 0.0
    store(scratch.held_v, 0, product)
    for lane in range(width):
        total += np.log(np.float64(scratch.held_v[lane]))
    store(scratch.held_v, 0, exponents)
    for lane in range(width):
        total += np.float64(scratch.held_v[lane]) * np.log(2.0)
    store(scratch.held_v, 0, linear)
    for lane in range(width):
        total += np.float64(scratch.held_v[lane])
    return total


@_inline
def _lay_out_slots(contexts: int, shape: Shape, scratch: Scratch) -> None:
    """Say where the c of each context stand."""
    for i in range(contexts):
        scratch.slots[i] = (i >> 1) * shape.stride + (i & 1) * len(shape.tile)


@_inline
def _merge_repeats(contexts: int, per_tile: int, shape: Shape, scratch: Scratch) -> int:
    """Step 3: add up the c of equal contexts; return how many different ones remain."""
    rows = 0
    for i in range(contexts):
        same = 0
        while same < rows and scratch.contexts[same] != scratch.contexts[i]:
            same += 1
        slot = scratch.slots[i]
        if same == rows:
            scratch.contexts[rows] = scratch.contexts[i]
            scratch.slots[rows] = slot
            rows += 1
            continue
        for target in range(len(scratch.targets)):
            size = len(shape.tile)
            place = target // size * per_tile + target % size
            scratch.slopes[place + scratch.slots[same]] += scratch.slopes[place + slot]
    return rows


@_inline
def _spare_frozen(contexts: int, shape: Shape, scratch: Scratch) -> None:
    """Let what would move a frozen row go to the spare one."""
    if not len(shape.frozen):
        return
    for i in range(contexts):
        place = scratch.contexts[i]
        is_frozen = scratch.frozen_u[place // shape.row]
        scratch.context_goals[i] = scratch.copies.spare if is_frozen else place
    for i in range(len(scratch.targets)):
        place = scratch.targets[i]
        is_frozen = scratch.frozen_v[place // shape.row]
        scratch.target_goals[i] = scratch.copies.spare if is_frozen else place


@_inline
def _move(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    contexts: int,
    per_tile: int,
    shape: Shape,
    scratch: Scratch,
) -> None:
    """Step 4, W dimensions at a time.

    The moves by all tiles but the last are held back, so that each tile sees u and v as
    they were; the last one moves u by all of them. Rows of v are read again before they
    move, for a target may stand there twice.
    """
    tile, lanes = shape.tile, shape.lanes
    last = len(scratch.targets) - len(tile)
    slopes = last // len(tile) * per_tile
    targets = take(scratch.targets, last, tile)
    us_to = scratch.context_goals if len(shape.frozen) else scratch.contexts
    vs_to = scratch.target_goals if len(shape.frozen) else scratch.targets
    for column in range(0, shape.row, len(lanes)):
        if last > 0:
            _hold_back(u, v, contexts, per_tile, column, shape, scratch)
        _prefetch(u, v, column, scratch)
        vs = load_rows(v, targets, column, lanes)
        moves = zeros(tile, lanes)
        for i in range(contexts):
            c = spread(take(scratch.slopes, slopes + scratch.slots[i], tile), lanes)
            old = load(u, scratch.contexts[i] + column, lanes)
            moves = add_scaled(c, old, moves)
            new = add_weighted(c, vs, old)
            if last > 0:
                new = add(new, load(scratch.held_u, i * len(lanes), lanes))
            store(u, us_to[i] + column, new)
        add_to_rows(v, take(vs_to, last, tile), column, moves)
        for first in range(0, last, len(tile)):
            held = take(scratch.held_rows, first, tile)
            moves = load_rows(scratch.held_v, held, 0, lanes)
            add_to_rows(v, take(vs_to, first, tile), column, moves)


@_inline
def _hold_back(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    contexts: int,
    per_tile: int,
    column: int,
    shape: Shape,
    scratch: Scratch,
) -> None:
    """Add up how far all tiles but the last move W dimensions of u and v."""
    tile, lanes = shape.tile, shape.lanes
    for i in range(contexts):
        store(scratch.held_u, i * len(lanes), fill(np.float32(0), lanes))
    for first in range(0, len(scratch.targets) - len(tile), len(tile)):
        slopes = first // len(tile) * per_tile
        vs = load_rows(v, take(scratch.targets, first, tile), column, lanes)
        moves = zeros(tile, lanes)
        for i in range(contexts):
            c = spread(take(scratch.slopes, slopes + scratch.slots[i], tile), lanes)
            moves = add_scaled(c, load(u, scratch.contexts[i] + column, lanes), moves)
            held = load(scratch.held_u, i * len(lanes), lanes)
            store(scratch.held_u, i * len(lanes), add_weighted(c, vs, held))
        store_rows(scratch.held_v, take(scratch.held_rows, first, tile), 0, moves)


@_inline
def _hand_over(
    u: NDArray[np.float32], v: NDArray[np.float32], shape: Shape, scratch: Scratch
) -> None:
    """Add to the originals what the copies have moved by, and copy them again.

    Copies that have not moved since, as before a block, become what originals are now.
    """
    copies = scratch.copies
    first = copies.shift * shape.row
    for rows, given in ((u, copies.given_u), (v, copies.given_v)):
        for place in range(0, len(given), len(shape.lanes)):
            copy = load(rows, first + place, shape.lanes)
            moves = subtract(copy, load(given, place, shape.lanes))
            original = add(load(rows, place, shape.lanes), moves)
            store(rows, place, original)
            store(rows, first + place, original)
            store(given, place, original)


def _cached(function: Callable[..., Any]) -> Any:
    """Compile, with a cache on disk where a place for it can be written."""
    try:
        return njit(cache=True, **_options)(_versioned(function))
    except RuntimeError:
        return njit(**_options)(function)


@_cached
def train_block(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    rates: tuple[float, float],
    shape: Shape,
    draws: Draws,
    scratch: Scratch,
) -> tuple[float, int]:
    """Train on one block, in place.

    Args:
        u: (V * R,) float32, the input vectors' rows one after another; those of the
            threads may follow.
        v: (V * R,) float32, the output vectors' rows, likewise.
        ids: (n,) int32, each below V.
        offsets: (sentences + 1,) int64, rising from 0 to n.
        rates: the learning rate at position 0, and what each position adds to it.
        shape: the sizes.
        draws: keys and tables.
        scratch: room for the longest sentence of the block.

    Returns:
        The loss summed over all pairs, and their number.
    """
    total, pairs, windows, seen = 0.0, 0, 0, 0
    nothing = fill(np.float32(0), shape.lanes)
    loss = (fill(np.float32(1), shape.lanes), nothing, nothing)
    _hand_over(u, v, shape, scratch)
    scratch.last_seen[:] = -1
    _lay_out_slots(len(scratch.slots), shape, scratch)
    for sentence in range(len(offsets) - 1):
        start, end = offsets[sentence], offsets[sentence + 1]
        kept = _draw_sentence(ids, start, end, seen, draws, scratch)
        for centre in range(kept):
            low = max(0, centre - scratch.reach[centre])
            high = min(kept - 1, centre + scratch.reach[centre])
            contexts = high - low
            collisions = _find_rows(centre, low, high, shape, draws, scratch)
            _find_coming(centre, kept, shape, draws, scratch)
            _dots(u, v, contexts, shape, scratch)
            _mark_collisions(collisions, NOWHERE, shape, draws, scratch)
            rate = np.float32(rates[0] + rates[1] * scratch.places[centre])
            loss = _slopes(contexts, rate, loss, shape, scratch)
            _mark_collisions(collisions, np.float32(0), shape, draws, scratch)
            per_tile = (contexts + 1) // 2 * shape.stride
            rows = contexts
            if scratch.repeats[high] >= seen + low:
                rows = _merge_repeats(contexts, per_tile, shape, scratch)
            _spare_frozen(rows, shape, scratch)
            _move(u, v, rows, per_tile, shape, scratch)
            if rows < contexts:
                _lay_out_slots(contexts, shape, scratch)
            pairs += contexts
            windows += 1
            if windows % WINDOWS_A_SUM == 0:  # before float32 sums grow too coarse
                total += _total(loss, shape, scratch)
                loss = (fill(np.float32(1), shape.lanes), nothing, nothing)
            if windows % scratch.copies.windows == 0:
                _hand_over(u, v, shape, scratch)
        seen += kept
    total += _total(loss, shape, scratch)
    _hand_over(u, v, shape, scratch)
    return total, pairs
