"""The training step on a GPU, in Triton.

M  contexts of a window, padded       T  its targets, padded: the centre, K negatives
D  columns at a time                W  windows in flight, one per program

A program takes one stretch of a block window by window, so it reads the rows of rare
words as it last left them; only rows that several programs need at the same moment may
be read before the moves of the others arrive. A window's steps are those on the CPU:

    1. dots     x = u . v                       one product of (M, D) and (D, T)
    2. slopes   y = -x for the centre, x for negatives
                loss += log(1 + exp(y))         = -log sigmoid(-y)
                c = rate * (+1 for the centre, -1 for negatives) * sigmoid(y)
    3. merge    done by the memory, which adds up the moves of equal rows
    4. move     u += c v,   v += c' u           as they were before the window

docs/step.md derives it; `engines/reference.py` is the same step in float64.
"""

# ruff: noqa: N803 (Triton's constants are written in capitals)
# ruff: noqa: PLR0913 (a kernel takes everything as an argument)

import triton
import triton.language as tl

from sg_train.sampling.draws import GOLDEN, MULTIPLIERS

_GOLDEN = tl.constexpr(GOLDEN)
_FIRST, _SECOND = tl.constexpr(MULTIPLIERS[0]), tl.constexpr(MULTIPLIERS[1])


@triton.jit
def draw(key, places):
    """Return the 64 random bits at each place of a stream; see `sampling.draws`."""
    bits = key + (places.to(tl.uint64) + 1) * _GOLDEN
    bits = (bits ^ (bits >> 30)) * _FIRST
    bits = (bits ^ (bits >> 27)) * _SECOND
    return bits ^ (bits >> 31)


@triton.jit(do_not_specialize=["first", "words"])
def keep_words(ids, keys, limits, kept, first, words, SIZE: tl.constexpr):
    """Decide which words of a block survive subsampling.

    Args:
        ids: (words,) int32.
        keys: (3,) int64, the bits of the keys of the draws.
        limits: (V,) int64, the largest 32-bit draw with which a word is kept.
        kept: (words,) int32, written: 1 for a word that is kept.
        first: the position in the block of the first word.
        words: number of words.
        SIZE: words per program.
    """
    at = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
    inside = at < words
    key = tl.load(keys).to(tl.uint64, bitcast=True)
    high = (draw(key, first + at) >> 32).to(tl.int64)
    limit = tl.load(limits + tl.load(ids + at, mask=inside, other=0))
    tl.store(kept + at, (high <= limit).to(tl.int32), mask=inside)


@triton.jit(do_not_specialize=["first", "words"])
def close_up(
    ids,
    kept,
    before,
    sentences,
    bounds,
    out,
    first,
    words,
    SIZE: tl.constexpr,
):
    """Move the words that are kept to the front, with what their windows need.

    Args:
        ids: (words,) int32.
        kept: from `keep_words`.
        before: (words,) int32, the number of kept words up to and including each.
        sentences: (words,) int32, the number of each word's sentence.
        bounds: (sentences + 1,) int32, how many kept words come before each sentence.
        out: (4, words) int32, written: of each kept word its id, its position in the
            block, and the first and the last kept word of its sentence.
        first: the position in the block of the first word.
        words: number of words.
        SIZE: words per program.
    """
    at = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
    stays = (at < words) & (tl.load(kept + at, mask=at < words, other=0) > 0)
    to = out + tl.load(before + at, mask=stays, other=1) - 1
    sentence = bounds + tl.load(sentences + at, mask=stays, other=0)
    tl.store(to, tl.load(ids + at, mask=stays, other=0), mask=stays)
    tl.store(to + words, (first + at).to(tl.int32), mask=stays)
    tl.store(to + 2 * words, tl.load(sentence, mask=stays, other=0), mask=stays)
    tl.store(to + 3 * words, tl.load(sentence + 1, mask=stays, other=1) - 1, mask=stays)


@triton.jit
def draw_negatives(
    key,
    table,
    size,
    position,
    centre,
    K: tl.constexpr,
    T: tl.constexpr,
):
    """Return the targets of a window: the centre, K negatives, then padding of -1.

    Negatives that equal the centre are padding as well.
    """
    place = tl.arange(0, T)
    bits = draw(key, position * K + place - 1)
    cell = ((bits >> 32) * size.to(tl.uint64) >> 32).to(tl.int64)
    is_drawn = (place > 0) & (place <= K)
    coin = tl.load(table + 2 * cell, mask=is_drawn, other=0)
    alias = tl.load(table + 2 * cell + 1, mask=is_drawn, other=0)
    word = tl.where((bits & 0xFFFFFFFF).to(tl.int64) < coin, cell, alias)
    word = tl.where(is_drawn & (word != centre), word, -1)
    return tl.where(place == 0, centre.to(tl.int64), word)


@triton.jit
def find_contexts(
    key,
    kept,
    words,
    i,
    position,
    REACH: tl.constexpr,
    DYNAMIC: tl.constexpr,
    M: tl.constexpr,
):
    """Return the (M,) ids of the words around kept word i, and which are contexts."""
    side = tl.arange(0, M) - REACH
    side = tl.where(side >= 0, side + 1, side)  # the centre is no context of its own
    first = tl.load(kept + 2 * words + i)
    last = tl.load(kept + 3 * words + i)
    reach = REACH
    if DYNAMIC:
        reach = 1 + ((draw(key, position) >> 32) * REACH >> 32).to(tl.int32)
    is_context = (side >= -reach) & (side <= reach)
    is_context &= (i + side >= first) & (i + side <= last)
    contexts = tl.load(kept + i + side, mask=is_context, other=0)
    return contexts.to(tl.int64), is_context


@triton.jit
def find_window(
    i,
    keys,
    kept,
    words,
    table,
    size,
    REACH: tl.constexpr,
    DYNAMIC: tl.constexpr,
    K: tl.constexpr,
    M: tl.constexpr,
    T: tl.constexpr,
):
    """Return a window's position, contexts, which of these exist, and targets."""
    centre = tl.load(kept + i)
    position = tl.load(kept + words + i).to(tl.int64)
    contexts, is_context = find_contexts(
        tl.load(keys + 1).to(tl.uint64, bitcast=True),
        kept,
        words,
        i,
        position,
        REACH,
        DYNAMIC,
        M,
    )
    key = tl.load(keys + 2).to(tl.uint64, bitcast=True)
    targets = draw_negatives(key, table, size, position, centre, K, T)
    return position, contexts, is_context, targets


@triton.jit
def find_cells(rows, exists, first, D: tl.constexpr, DIMENSION: tl.constexpr):
    """Return where D columns of some rows lie in a matrix, and which of them exist."""
    columns = first + tl.arange(0, D)
    cells = rows[:, None] * DIMENSION + columns[None, :]
    return cells, exists[:, None] & (columns < DIMENSION)[None, :]


@triton.jit
def load_rows(matrix, rows, exists, first, D: tl.constexpr, DIMENSION: tl.constexpr):
    """Return D columns of some rows.

    The L1 cache is bypassed, because the moves of other programs do not reach it.
    """
    cells, is_cell = find_cells(rows, exists, first, D, DIMENSION)
    return tl.load(matrix + cells, mask=is_cell, other=0.0, cache_modifier=".cg")


@triton.jit
def add_to_rows(
    matrix, rows, may_move, moves, first, D: tl.constexpr, DIMENSION: tl.constexpr
):
    """Add moves to D columns of some rows; the memory adds up those of equal rows."""
    cells, is_cell = find_cells(rows, may_move, first, D, DIMENSION)
    tl.atomic_add(matrix + cells, moves, mask=is_cell, sem="relaxed")


@triton.jit
def slopes(x, is_pair, rate, T: tl.constexpr):
    """Return loss and c of each pair, (M, T); 0 where there is none."""
    sign = tl.where(tl.arange(0, T) == 0, 1.0, -1.0)[None, :]
    y = -sign * x
    small = tl.exp(-tl.abs(y))
    loss = tl.maximum(y, 0.0) + tl.log(1.0 + small)
    sigmoid = tl.where(y >= 0, 1.0, small) / (1.0 + small)
    return tl.where(is_pair, loss, 0.0), tl.where(is_pair, rate * sign * sigmoid, 0.0)


@triton.jit(do_not_specialize=["words", "size"])
def train_windows(
    u,
    v,
    free_u,
    free_v,
    kept,
    count,
    keys,
    table,
    losses,
    pairs,
    words,
    size,
    rate_start,
    rate_slope,
    REACH: tl.constexpr,
    DYNAMIC: tl.constexpr,
    K: tl.constexpr,
    M: tl.constexpr,
    T: tl.constexpr,
    D: tl.constexpr,
    DIMENSION: tl.constexpr,
    FROZEN: tl.constexpr,
):
    """Train on one of W stretches of a block's windows, one window after another.

    Args:
        u: (V, dimension) float32, input vectors.
        v: (V, dimension) float32, output vectors.
        free_u: (V,) int8, whether a row may move; read if FROZEN.
        free_v: (V,) int8, likewise.
        kept: (4, words) int32 from `close_up`.
        count: (1,) int32, the number of kept words.
        keys: (3,) int64, the bits of the keys of the draws.
        table: (V, 2) int64, coin and alias of each cell.
        losses: (W,) float64, zeros, written: the summed loss of each program.
        pairs: (W,) int64, zeros, written: its (context, centre) pairs.
        words: the block's words before subsampling.
        size: V.
        rate_start: the learning rate at the block's first word.
        rate_slope: how much it changes from word to word.
        REACH: words to each side of the centre, at most.
        DYNAMIC: whether each window's reach is drawn.
        K: negatives per window.
        M: 2 * REACH, or more.
        T: 1 + K, or more.
        D: columns at a time.
        DIMENSION: length of a row; multiples of 4 move 4 columns at once.
        FROZEN: whether some rows must not move.
    """
    number, programs = tl.program_id(0).to(tl.int64), tl.num_programs(0).to(tl.int64)
    total = tl.load(count).to(tl.int64)
    lost = tl.zeros((), tl.float64)
    trained = tl.zeros((), tl.int64)
    start, end = number * total // programs, (number + 1) * total // programs
    if start == end:
        return  # with fewer windows than programs
    position, contexts, is_context, targets = find_window(
        start, keys, kept, words, table, size, REACH, DYNAMIC, K, M, T
    )
    # One stage: with more, Triton reads rows before the windows ahead have moved them.
    for i in tl.range(start, end, num_stages=1):
        is_target = targets >= 0
        moves_u, moves_v = is_context, is_target
        if FROZEN:
            moves_u &= tl.load(free_u + contexts, mask=is_context, other=0) > 0
            moves_v &= tl.load(free_v + targets, mask=is_target, other=0) > 0

        us = load_rows(u, contexts, is_context, 0, D, DIMENSION)
        vs = load_rows(v, targets, is_target, 0, D, DIMENSION)
        x = tl.dot(us, tl.trans(vs), input_precision="tf32x3")
        for first in tl.static_range(D, DIMENSION, D):
            us = load_rows(u, contexts, is_context, first, D, DIMENSION)
            vs = load_rows(v, targets, is_target, first, D, DIMENSION)
            x = tl.dot(us, tl.trans(vs), x, input_precision="tf32x3")

        # Found ahead, so that the next window does not begin by waiting for its ids.
        coming, next_contexts, is_next_context, next_targets = find_window(
            tl.minimum(i + 1, end - 1),
            keys,
            kept,
            words,
            table,
            size,
            REACH,
            DYNAMIC,
            K,
            M,
            T,
        )
        rate = rate_start + rate_slope * position.to(tl.float32)
        loss, c = slopes(x, is_context[:, None] & is_target[None, :], rate, T)
        lost += tl.sum(loss).to(tl.float64)
        trained += tl.sum(is_context.to(tl.int64))

        for first in tl.static_range(0, DIMENSION, D):
            if D < DIMENSION:
                us = load_rows(u, contexts, is_context, first, D, DIMENSION)
                vs = load_rows(v, targets, is_target, first, D, DIMENSION)
            move_u = tl.dot(c, vs, input_precision="tf32x3")
            move_v = tl.dot(tl.trans(c), us, input_precision="tf32x3")
            add_to_rows(u, contexts, moves_u, move_u, first, D, DIMENSION)
            add_to_rows(v, targets, moves_v, move_v, first, D, DIMENSION)
        position, contexts, is_context = coming, next_contexts, is_next_context
        targets = next_targets
    tl.store(losses + number, lost)
    tl.store(pairs + number, trained)
