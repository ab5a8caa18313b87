import types
from typing import Any

import numpy as np
import pytest
from numba import njit

from sg_train.engines import simd
from sg_train.engines.simd import (
    add_both_ways,
    add_products,
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
    prefetch,
    prefetch_rows,
    store,
    store_rows,
    store_sums,
    take,
    where_positive,
    zeros,
)

WIDTHS = [4, 8, 16]
ROOM = 64  # floats a result


def use_all(numbers, places, rows, out, lanes, tile, pair):
    """Use every operation once; each result has its own room in `out`."""
    a, b, c = (
        load(numbers, 3, lanes),
        load(numbers, 40, lanes),
        load(numbers, 80, lanes),
    )
    store(out, 0 * 64, a)
    store(out, 1 * 64, fill(np.float32(2.5), lanes))
    store(out, 2 * 64, multiply_add(a, b, c))
    store(out, 3 * 64, a * b)
    store(out, 4 * 64, a + b)
    store(out, 5 * 64, a / b)
    store(out, 6 * 64, positive_part(a))
    store(out, 7 * 64, where_positive(a, b, c))
    store(out, 8 * 64, exp_of_minus(a))
    store(out, 9 * 64, mantissa(exp_of_minus(a)))
    store(out, 10 * 64, exponent(exp_of_minus(a)))
    prefetch(numbers, 5)
    prefetch_rows(numbers, take(places, 1, tile), 2, ())
    prefetch_rows(numbers, take(places, 1, tile), 2, (0,))
    taken = take(places, 1, tile)
    for i in range(len(tile)):
        out[11 * 64 + i] = taken[i]
    loaded = load_rows(numbers, taken, 2, lanes)
    store_rows(out, take(rows, 0, tile), 12 * 64, loaded)
    store_sums(out, 16 * 64, loaded)
    two = load_rows(numbers, take(places, 0, pair), 0, lanes)
    nothing = zeros(tile + tile, lanes)
    store_sums(out, 17 * 64, add_products(two, loaded, nothing))
    sums = add_products_with_rows(two, numbers, taken, 4, nothing)
    store_sums(out, 18 * 64, sums)
    total, scaled = add_both_ways(numbers, 7, loaded, a, b, loaded)
    store(out, 19 * 64, total)
    store_sums(out, 20 * 64, scaled)
    store(out, 21 * 64, a - b)
    add_to_rows(out, take(rows, 0, tile), 12 * 64, loaded)


def plain(function: Any) -> types.FunctionType:
    """Return the function with every vector operation in plain Python."""
    operations = {
        name: operation.plain
        for name, operation in vars(simd).items()
        if hasattr(operation, "plain")
    }
    return types.FunctionType(
        function.__code__, {**function.__globals__, **operations}, function.__name__
    )


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("size", [1, 6, 8])
def test_compiled_operations_do_what_plain_ones_do(lanes: int, size: int) -> None:
    generator = np.random.default_rng(lanes)
    numbers = generator.normal(0, 3, 200).astype(np.float32)
    places = generator.integers(0, 150, 20)
    rows = np.arange(size) * lanes
    rows[-1] = rows[0]  # one row stands there twice
    arguments = numbers, places, rows
    kinds = (0,) * lanes, (0,) * size, (0,) * 2
    expected, found = np.zeros((2, 30 * ROOM), dtype=np.float32)
    plain(use_all)(*arguments, expected, *kinds)
    njit(use_all)(*arguments, found, *kinds)
    assert np.count_nonzero(expected) > 12 * lanes
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@njit
def exp_of_all(numbers, out, lanes):
    for i in range(0, len(numbers), len(lanes)):
        store(out, i, exp_of_minus(load(numbers, i, lanes)))


@pytest.mark.parametrize("lanes", WIDTHS)
def test_exp_is_exact_to_float32_and_ends_in_zero(lanes: int) -> None:
    numbers = np.linspace(-41, 41, 160_000).astype(np.float32)
    out = np.ones_like(numbers)
    exp_of_all(numbers, out, (0,) * lanes)
    expected = np.exp(-np.abs(numbers.astype(np.float64)))
    error = np.abs(out / expected - 1)
    assert (error < 3e-7 + 7e-8 * np.abs(numbers)).all()
    far = np.full(lanes, 42, dtype=np.float32)
    far[1:3] = -1e30, np.inf
    out = np.ones_like(far)
    exp_of_all(far, out, (0,) * lanes)
    assert (out == 0).all()


@njit
def positive_of(numbers, out, lanes):
    store(out, 0, positive_part(load(numbers, 0, lanes)))


def test_a_fault_in_the_numbers_is_passed_on() -> None:
    numbers = np.array([np.nan, np.inf, -np.inf, -0.0], dtype=np.float32)
    out = np.ones_like(numbers)
    positive_of(numbers, out, (0,) * 4)
    assert np.isnan(out[0])
    assert out[1:].tolist() == [np.inf, 0, 0]
    plain_out = simd.positive_part.plain(numbers)
    assert np.array_equal(plain_out, out, equal_nan=True)


def test_plain_operations_check_every_place() -> None:
    array, lanes = np.zeros(20, dtype=np.float32), (0,) * 8
    for index in (-1, 13):
        with pytest.raises(IndexError, match="of 20"):
            load.plain(array, index, lanes)
        with pytest.raises(IndexError):
            store.plain(array, index, np.zeros(8))
        with pytest.raises(IndexError):
            load_rows.plain(array, (0, index), 0, lanes)
        with pytest.raises(IndexError):
            add_to_rows.plain(array, (index,), 0, (np.zeros(8),))
    with pytest.raises(IndexError):
        prefetch.plain(array, 20)
    with pytest.raises(IndexError):
        prefetch_rows.plain(array, (0, 12), 8, ())
