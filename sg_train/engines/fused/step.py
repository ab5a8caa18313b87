"""The training step of one window, with u of its m contexts and v of its 1 + K targets.

    1. dots     x = u . v                       for all m * (1 + K) pairs
    2. slopes   y = -x for the centre, x for negatives
                loss += log(1 + exp(y))         = -log sigmoid(-y)
                c = rate * (+1 for the centre, -1 for negatives) * sigmoid(y)
    3. merge    the c of a context word that occurs twice are added up
    4. move     u += sum over targets of c * v,   v += sum over contexts of c * u
                with u and v as they were before the window

docs/step.md derives it; `engines/reference.py` is the same step in float64.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sg_train.engines.fused.compiling import inline
from sg_train.engines.fused.gather import prefetch_coming
from sg_train.engines.fused.layout import LINE, Scratch, Shape, Step, Window
from sg_train.engines.simd import (
    add_both_ways,
    add_products_with_rows,
    add_to_rows,
    exp_of_minus,
    exponent,
    fill,
    load,
    load_rows,
    mantissa,
    multiply_add,
    positive_part,
    store,
    store_rows,
    store_sums,
    take,
    where_positive,
    zeros,
)

Loss = tuple[Any, Any, Any]  # product, exponents and sum; see `_add_loss`


@inline
def no_loss(shape: Shape) -> Loss:
    """Return the loss of no pairs."""
    nothing = fill(np.float32(0), shape.lanes)
    return fill(np.float32(1), shape.lanes), nothing, nothing


@inline
def dots(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    contexts: int,
    shape: Shape,
    window: Window,
    step: Step,
) -> None:
    """Step 1: two contexts at a time with the T targets of a tile."""
    at = 0
    for first in range(0, len(window.targets), len(shape.tile)):
        targets = take(window.targets, first, shape.tile)
        for i in range(0, contexts, 2):
            pair = take(window.contexts, i, (0, 0))
            sums = zeros(shape.tile + shape.tile, shape.lanes)
            for column in range(0, shape.row, len(shape.lanes)):
                us = load_rows(u, pair, column, shape.lanes)
                sums = add_products_with_rows(us, v, targets, column, sums)
            store_sums(step.pairs, at, sums)
            at += shape.stride


@inline
def slopes(
    contexts: int, rate: np.float32, loss: Loss, shape: Shape, step: Step
) -> Loss:
    """Step 2: turn each x into its c, and return the loss plus the window's."""
    one = fill(np.float32(1), shape.lanes)
    rates = fill(-rate, shape.lanes)
    at = 0
    for first in range(0, len(step.signs), shape.stride):
        for i in range(0, contexts, 2):
            if i % 64 == 0:  # after at most 32 * 3 vectors of numbers up to 2
                loss = _split_product(loss)
            bias = first if i + 1 < contexts else first + len(step.signs)
            for lane in range(0, shape.stride, len(shape.lanes)):
                sign = load(step.signs, first + lane, shape.lanes)
                mask = load(step.bias, bias + lane, shape.lanes)
                x = load(step.pairs, at, shape.lanes)
                y = multiply_add(x, sign, mask)
                small = exp_of_minus(y)
                whole = one + small
                sigmoid = where_positive(y, one, small) / whole
                store(step.pairs, at, rates * sign * sigmoid)
                loss = _add_loss(y, whole, loss)
                at += len(shape.lanes)
    return loss


@inline
def _add_loss(y: Any, whole: Any, loss: Loss) -> Loss:
    """Add the loss log(1 + exp(y)) of a vector of pairs, given 1 + exp(-abs(y)).

    It is max(y, 0) + log(1 + exp(-abs(y))). The logs are kept as the product of their
    arguments.
    """
    product, exponents, total = loss
    return product * whole, exponents, total + positive_part(y)


@inline
def _split_product(loss: Loss) -> Loss:
    """Split the product into mantissa and exponent, so that it does not overflow."""
    product, exponents, total = loss
    return mantissa(product), exponents + exponent(product), total


@inline
def total_loss(loss: Loss, shape: Shape, step: Step) -> float:
    """Return the loss held by a product, its exponents and a sum."""
    product, exponents, linear = loss
    width = len(shape.lanes)
    total = 0.0
    store(step.held_v, 0, product)
    for lane in range(width):
        total += np.log(np.float64(step.held_v[lane]))
    store(step.held_v, 0, exponents)
    for lane in range(width):
        total += np.float64(step.held_v[lane]) * np.log(2.0)
    store(step.held_v, 0, linear)
    for lane in range(width):
        total += np.float64(step.held_v[lane])
    return total


@inline
def lay_out_slots(contexts: int, shape: Shape, step: Step) -> None:
    """Set where in a tile the c of each context begin."""
    for i in range(contexts):
        step.slots[i] = (i >> 1) * shape.stride + (i & 1) * len(shape.tile)


@inline
def merge(
    contexts: int, per_tile: int, shape: Shape, window: Window, scratch: Scratch
) -> tuple[int, Window]:
    """Step 3: add up the c of equal contexts.

    Returns:
        How many distinct contexts remain, and the window with these.
    """
    step, rows = scratch.step, scratch.rows.distinct
    distinct = 0
    for i in range(contexts):
        same = 0
        while same < distinct and rows[same] != window.contexts[i]:
            same += 1
        slot = step.slots[i]
        if same == distinct:
            rows[distinct] = window.contexts[i]
            step.slots[distinct] = slot
            distinct += 1
            continue
        for target in range(len(window.targets)):
            size = len(shape.tile)
            at = target // size * per_tile + target % size
            step.pairs[at + step.slots[same]] += step.pairs[at + slot]
    return distinct, Window(
        contexts=rows,
        targets=window.targets,
        contexts_to=window.contexts_to,
        targets_to=window.targets_to,
        coming_targets=window.coming_targets,
        coming_context=window.coming_context,
        coming_parts=window.coming_parts,
    )


@inline
def move(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    contexts: int,
    per_tile: int,
    shape: Shape,
    window: Window,
    step: Step,
) -> None:
    """Step 4, W dimensions at a time.

    The moves by all tiles except the last are held back, so that each tile sees u and v
    as they were; the last one moves u by all of them. Rows of v are read again before
    they move, because a target may occur twice.
    """
    tile, lanes = shape.tile, shape.lanes
    last = len(window.targets) - len(tile) if len(shape.more_tiles) else 0
    cs = last // len(tile) * per_tile
    targets = take(window.targets, last, tile)
    us_to = window.contexts_to if len(shape.frozen) else window.contexts
    vs_to = window.targets_to if len(shape.frozen) else window.targets
    for column in range(0, shape.row, len(lanes)):
        if len(shape.more_tiles):
            _hold_back(u, v, contexts, per_tile, column, shape, window, step)
        if column % LINE == 0:
            prefetch_coming(u, v, column, shape, window)
        vs = load_rows(v, targets, column, lanes)
        moves = zeros(tile, lanes)
        for i in range(contexts):
            old = load(u, window.contexts[i] + column, lanes)
            c = cs + step.slots[i]
            new, moves = add_both_ways(step.pairs, c, vs, old, old, moves)
            if len(shape.more_tiles):
                new = new + load(step.held_u, i * len(lanes), lanes)
            store(u, us_to[i] + column, new)
        add_to_rows(v, take(vs_to, last, tile), column, moves)
        for first in range(0, last, len(tile)):
            held = take(step.held_rows, first, tile)
            moves = load_rows(step.held_v, held, 0, lanes)
            add_to_rows(v, take(vs_to, first, tile), column, moves)


@inline
def _hold_back(
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    contexts: int,
    per_tile: int,
    column: int,
    shape: Shape,
    window: Window,
    step: Step,
) -> None:
    """Add up how far all tiles except the last move W dimensions of u and v."""
    tile, lanes = shape.tile, shape.lanes
    for i in range(contexts):
        store(step.held_u, i * len(lanes), fill(np.float32(0), lanes))
    for first in range(0, len(window.targets) - len(tile), len(tile)):
        cs = first // len(tile) * per_tile
        vs = load_rows(v, take(window.targets, first, tile), column, lanes)
        moves = zeros(tile, lanes)
        for i in range(contexts):
            old = load(u, window.contexts[i] + column, lanes)
            held = load(step.held_u, i * len(lanes), lanes)
            c = cs + step.slots[i]
            held, moves = add_both_ways(step.pairs, c, vs, held, old, moves)
            store(step.held_u, i * len(lanes), held)
        store_rows(step.held_v, take(step.held_rows, first, tile), 0, moves)
