"""SIMD vectors of float32 for the kernel: operations on several lanes at once.

A vector has W lanes. The length of a tuple, `lanes`, gives W, so that it is part of the
types that code is compiled for; likewise the number of vectors in a tile, which is a
tuple of vectors that the compiler keeps in registers. `+ - * /` work lane by lane. Each
operation becomes one or a few instructions of the processor's own width (SSE, AVX2,
AVX-512, NEON), through the compiler inside numba, so users need no other compiler.

Run as plain Python (NUMBA_DISABLE_JIT=1), the same operations work on numpy arrays and
check every index, for tests and for readers.
"""

import operator
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.core.datamodel.registry import register_default
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin
from numpy.typing import NDArray

Vector = Any  # (W,) float32 in plain Python, a register when compiled
Tile = tuple[Vector, ...]
Array = NDArray[np.float32]

_IS_PLAIN = bool(getattr(config, "DISABLE_JIT"))  # noqa: B009 (mypy knows it not)

_FLOAT = ir.FloatType()
_INT = ir.IntType(32)

_TO_READ, _TO_WRITE = (0, 2), (1, 3)  # of llvm.prefetch: whether to write, locality

# 2 ** f for f in [-0.5, 0.5], by powers of f: a fit with relative error 1.4e-7.
_EXP2 = (
    1.0000001192092896,
    0.6931469440460205,
    0.24022121727466583,
    0.05550742521882057,
    0.009675459936261177,
    0.0013266970636323094,
)
_LOG2_E = 1.4426950408889634
_ROUNDER = 12582912.0  # 1.5 * 2 ** 23: adding it leaves no bits for a fraction
_LOWEST_POWER = -60.0  # of 2: below it, exp returns 0, because denormals are slow


class _VectorType(types.Type):
    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"float32x{lanes}")


@register_default(_VectorType)
class _VectorModel(PrimitiveModel):
    def __init__(self, manager: Any, vector: _VectorType) -> None:
        super().__init__(manager, vector, ir.VectorType(_FLOAT, vector.lanes))


def _compiled_by(emit: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Replace a plain operation with the code from `emit`, unless numba is disabled."""

    def choose(plain: Callable[..., Any]) -> Any:
        operation: Any = plain if _IS_PLAIN else intrinsic(emit)
        operation.__doc__ = plain.__doc__
        operation.plain = plain
        return operation

    return choose


# --- operators ---------------------------------------------------------------------


def _register_operator(symbol: Callable[..., Any], opcode: str) -> None:
    """Compile an operator on two vectors to one instruction."""

    @infer_global(symbol)
    class _Template(AbstractTemplate):
        def generic(self, args, kws):  # noqa: ARG002 (numba passes both)
            is_ours = len(args) == 2 and isinstance(args[0], _VectorType)
            return signature(args[0], *args) if is_ours and args[0] == args[1] else None

    @lower_builtin(symbol, _VectorType, _VectorType)
    def _lower(context, builder, signature, arguments):
        return getattr(builder, opcode)(*arguments)


for _symbol, _opcode in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _register_operator(_symbol, _opcode)


# --- one vector --------------------------------------------------------------------


def _emit_load(typing, array, index, lanes):
    def generate(context, builder, signature, arguments):
        place = _address(context, builder, signature.args[0], *arguments[:2])
        return _load(builder, place, signature.return_type.lanes)

    return _VectorType(len(lanes))(array, types.intp, lanes), generate


@_compiled_by(_emit_load)
def load(array: Array, index: int, lanes: tuple[int, ...]) -> Vector:
    """Return W floats of a flat array, starting at an index."""
    return _inside(array, index, len(lanes)).copy()


def _emit_store(typing, array, index, vector):
    def generate(context, builder, signature, arguments):
        place = _address(context, builder, signature.args[0], *arguments[:2])
        _store(builder, arguments[2], place)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@_compiled_by(_emit_store)
def store(array: Array, index: int, vector: Vector) -> None:
    """Write W floats to a flat array, starting at an index."""
    _inside(array, index, len(vector))[:] = vector


def _emit_fill(typing, value, lanes):
    def generate(context, builder, signature, arguments):
        return _splat(builder, arguments[0], signature.return_type.lanes)

    return _VectorType(len(lanes))(types.float32, lanes), generate


@_compiled_by(_emit_fill)
def fill(value: float, lanes: tuple[int, ...]) -> Vector:
    """Return a vector with the same number in each lane."""
    return np.full(len(lanes), value, dtype=np.float32)


def _emit_multiply_add(typing, a, b, c):
    def generate(context, builder, signature, arguments):
        return _multiply_add(builder, *arguments)

    return a(a, b, c), generate


@_compiled_by(_emit_multiply_add)
def multiply_add(a: Vector, b: Vector, c: Vector) -> Vector:
    """Return a * b + c, rounded once where the processor can."""
    return a * b + c


def _emit_positive_part(typing, a):
    def generate(context, builder, signature, arguments):
        zero = _constant(0.0, a.lanes)
        above = builder.fcmp_unordered(">", arguments[0], zero)
        return builder.select(above, arguments[0], zero)

    return a(a), generate


@_compiled_by(_emit_positive_part)
def positive_part(a: Vector) -> Vector:
    """Return a where it is above 0 or NaN, and 0 elsewhere."""
    return np.where(a <= 0, np.float32(0), a)


def _emit_where_positive(typing, condition, a, b):
    def generate(context, builder, signature, arguments):
        above = builder.fcmp_ordered(">", arguments[0], _constant(0.0, a.lanes))
        return builder.select(above, arguments[1], arguments[2])

    return a(condition, a, b), generate


@_compiled_by(_emit_where_positive)
def where_positive(condition: Vector, a: Vector, b: Vector) -> Vector:
    """Return a where the condition is above 0, and b elsewhere."""
    return np.where(condition > 0, a, b)


def _emit_exp_of_minus(typing, a):
    def generate(context, builder, signature, arguments):
        lanes = a.lanes
        ints = ir.VectorType(_INT, lanes)
        absolute = builder.bitcast(
            builder.and_(
                builder.bitcast(arguments[0], ints),
                ir.Constant(ints, [0x7FFFFFFF] * lanes),
            ),
            arguments[0].type,
        )
        power = builder.fmul(absolute, _constant(-_LOG2_E, lanes))
        rounder = _constant(_ROUNDER, lanes)
        rounded = builder.fadd(power, rounder)
        fraction = builder.fsub(power, builder.fsub(rounded, rounder))
        result = _constant(_EXP2[-1], lanes)
        for coefficient in reversed(_EXP2[:-1]):
            result = _multiply_add(
                builder, result, fraction, _constant(coefficient, lanes)
            )
        # The rounded power sits in the low bits: put it in the exponent's place.
        shift = ir.Constant(ints, [23] * lanes)
        exponent = builder.shl(builder.bitcast(rounded, ints), shift)
        bits = builder.add(builder.bitcast(result, ints), exponent)
        lowest = _constant(_LOWEST_POWER, lanes)
        too_low = builder.fcmp_unordered("<", power, lowest)
        zero = _constant(0.0, lanes)
        return builder.select(too_low, zero, builder.bitcast(bits, result.type))

    return a(a), generate


@_compiled_by(_emit_exp_of_minus)
def exp_of_minus(a: Vector) -> Vector:
    """Return exp(-abs(a)), and 0 where that is below 2 ** -60.

    The relative error is at most 3e-7 + 7e-8 * abs(a).
    """
    power = np.abs(a) * np.float32(-_LOG2_E)
    return np.where(power < _LOWEST_POWER, np.float32(0), np.exp2(power))


def _emit_mantissa(typing, a):
    def generate(context, builder, signature, arguments):
        ints = ir.VectorType(_INT, a.lanes)
        bits = builder.bitcast(arguments[0], ints)
        bits = builder.and_(bits, ir.Constant(ints, [0x007FFFFF] * a.lanes))
        bits = builder.or_(bits, ir.Constant(ints, [0x3F800000] * a.lanes))
        return builder.bitcast(bits, arguments[0].type)

    return a(a), generate


@_compiled_by(_emit_mantissa)
def mantissa(a: Vector) -> Vector:
    """Return a / 2 ** exponent(a), in [1, 2), for positive normal numbers."""
    return np.float32(2) * np.frexp(a)[0]


def _emit_exponent(typing, a):
    def generate(context, builder, signature, arguments):
        ints = ir.VectorType(_INT, a.lanes)
        bits = builder.bitcast(arguments[0], ints)
        biased = builder.lshr(bits, ir.Constant(ints, [23] * a.lanes))
        plain = builder.sub(biased, ir.Constant(ints, [127] * a.lanes))
        return builder.sitofp(plain, arguments[0].type)

    return a(a), generate


@_compiled_by(_emit_exponent)
def exponent(a: Vector) -> Vector:
    """Return floor(log2(a)) for positive normal numbers."""
    return (np.frexp(a)[1] - 1).astype(np.float32)


def _emit_prefetch(typing, array, index):
    def generate(context, builder, signature, arguments):
        place = _address(context, builder, signature.args[0], *arguments)
        _prefetch(builder, place, _TO_READ)
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@_compiled_by(_emit_prefetch)
def prefetch(array: NDArray[Any], index: int) -> None:
    """Prefetch the cache line at an index of a flat array, into the second cache."""
    _inside(array, index, 1)


# --- tiles -------------------------------------------------------------------------


def _emit_take(typing, array, index, like):
    def generate(context, builder, signature, arguments):
        place = _address(context, builder, signature.args[0], *arguments[:2])
        items = [
            builder.load(builder.gep(place, [ir.Constant(_INT, i)], inbounds=True))
            for i in range(signature.return_type.count)
        ]
        return context.make_tuple(builder, signature.return_type, items)

    items = types.UniTuple(array.dtype, len(like))
    return items(array, types.intp, like), generate


@_compiled_by(_emit_take)
def take(array: NDArray[Any], index: int, like: tuple[int, ...]) -> tuple[Any, ...]:
    """Return len(like) items of a flat array, starting at an index."""
    return tuple(_inside(array, index, len(like)))


def _emit_load_rows(typing, array, rows, column, lanes):
    def generate(context, builder, signature, arguments):
        vectors = [
            _load(builder, place, len(lanes))
            for place in _row_addresses(context, builder, array, arguments)
        ]
        return context.make_tuple(builder, signature.return_type, vectors)

    tile = types.UniTuple(_VectorType(len(lanes)), len(rows))
    return tile(array, rows, types.intp, lanes), generate


@_compiled_by(_emit_load_rows)
def load_rows(
    array: Array, rows: tuple[int, ...], column: int, lanes: tuple[int, ...]
) -> Tile:
    """Return W floats at a column of several rows, each given by its first index."""
    return tuple(_inside(array, row + column, len(lanes)).copy() for row in rows)


def _emit_prefetch_rows(typing, array, rows, column, to_write):
    def generate(context, builder, signature, arguments):
        for place in _row_addresses(context, builder, array, arguments):
            _prefetch(builder, place, _TO_WRITE if len(to_write) else _TO_READ)
        return context.get_dummy_value()

    return types.void(array, rows, types.intp, to_write), generate


@_compiled_by(_emit_prefetch_rows)
def prefetch_rows(
    array: Array, rows: tuple[int, ...], column: int, to_write: tuple[int, ...]
) -> None:
    """Prefetch the cache line at a column of several rows.

    Lines are fetched into the second cache; or, if `to_write` is not empty, into the
    first one, and taken from all other processors.
    """
    for row in rows:
        _inside(array, row + column, 1)


def _emit_add_to_rows(typing, array, rows, column, tile):
    def generate(context, builder, signature, arguments):
        places = _row_addresses(context, builder, array, arguments)
        added = cgutils.unpack_tuple(builder, arguments[3])
        for place, vector in zip(places, added, strict=True):
            old = _load(builder, place, vector.type.count)
            _store(builder, builder.fadd(old, vector), place)
        return context.get_dummy_value()

    return types.void(array, rows, types.intp, tile), generate


@_compiled_by(_emit_add_to_rows)
def add_to_rows(array: Array, rows: tuple[int, ...], column: int, tile: Tile) -> None:
    """Add a vector to each row, one after another, because a row may occur twice."""
    for row, vector in zip(rows, tile, strict=True):
        _inside(array, row + column, len(vector))[:] += vector


def _emit_store_rows(typing, array, rows, column, tile):
    def generate(context, builder, signature, arguments):
        places = _row_addresses(context, builder, array, arguments)
        vectors = cgutils.unpack_tuple(builder, arguments[3])
        for place, vector in zip(places, vectors, strict=True):
            _store(builder, vector, place)
        return context.get_dummy_value()

    return types.void(array, rows, types.intp, tile), generate


@_compiled_by(_emit_store_rows)
def store_rows(array: Array, rows: tuple[int, ...], column: int, tile: Tile) -> None:
    """Write W floats at a column of several rows, each given by its first index."""
    for row, vector in zip(rows, tile, strict=True):
        _inside(array, row + column, len(vector))[:] = vector


def _emit_load_columns(typing, array, index, like, lanes):
    def generate(context, builder, signature, arguments):
        place = _address(context, builder, signature.args[0], *arguments[:2])
        vectors = [
            _load(builder, column, len(lanes))
            for column in _columns(builder, place, len(like), len(lanes))
        ]
        return context.make_tuple(builder, signature.return_type, vectors)

    tile = types.UniTuple(_VectorType(len(lanes)), len(like))
    return tile(array, types.intp, like, lanes), generate


@_compiled_by(_emit_load_columns)
def load_columns(
    array: Array, index: int, like: tuple[int, ...], lanes: tuple[int, ...]
) -> Tile:
    """Return len(like) vectors that lie one after another, starting at an index."""
    whole = _inside(array, index, len(like) * len(lanes)).copy()
    return tuple(whole.reshape(len(like), len(lanes)))


def _emit_store_columns(typing, array, index, tile):
    def generate(context, builder, signature, arguments):
        place = _address(context, builder, signature.args[0], *arguments[:2])
        vectors = cgutils.unpack_tuple(builder, arguments[2])
        lanes = vectors[0].type.count if vectors else 0
        columns = _columns(builder, place, len(vectors), lanes)
        for column, vector in zip(columns, vectors, strict=True):
            _store(builder, vector, column)
        return context.get_dummy_value()

    return types.void(array, types.intp, tile), generate


@_compiled_by(_emit_store_columns)
def store_columns(array: Array, index: int, tile: Tile) -> None:
    """Write the vectors of a tile one after another, starting at an index."""
    for i, vector in enumerate(tile):
        _inside(array, index + i * len(vector), len(vector))[:] = vector


def _emit_zeros(typing, like, lanes):
    def generate(context, builder, signature, arguments):
        vectors = [_constant(0.0, len(lanes))] * len(like)
        return context.make_tuple(builder, signature.return_type, vectors)

    return types.UniTuple(_VectorType(len(lanes)), len(like))(like, lanes), generate


@_compiled_by(_emit_zeros)
def zeros(like: tuple[int, ...], lanes: tuple[int, ...]) -> Tile:
    """Return a tile of len(like) vectors of zeros."""
    return tuple(np.zeros(len(lanes), dtype=np.float32) for _ in like)


def _emit_add_products(typing, xs, ys, tile):
    def generate(context, builder, signature, arguments):
        x, y, sums = (cgutils.unpack_tuple(builder, tile) for tile in arguments)
        added = [
            _multiply_add(builder, x[i // len(y)], y[i % len(y)], total)
            for i, total in enumerate(sums)
        ]
        return context.make_tuple(builder, signature.return_type, added)

    return tile(xs, ys, tile), generate


@_compiled_by(_emit_add_products)
def add_products(xs: Tile, ys: Tile, tile: Tile) -> Tile:
    """Return tile + x * y for every x of `xs` with every y of `ys`, lane by lane.

    The vector for the i-th x and the j-th y is number i * len(ys) + j.
    """
    return _add_all(xs, ys, tile)


def _emit_add_products_with_rows(typing, xs, array, rows, column, tile):
    def generate(context, builder, signature, arguments):
        x, sums = (cgutils.unpack_tuple(builder, arguments[i]) for i in (0, 4))
        places = _row_addresses(context, builder, array, arguments[1:4])
        # Each row is loaded just before it is used, so that it needs one register.
        for j, place in enumerate(places):
            y = _load(builder, place, tile.dtype.lanes)
            for i, factor in enumerate(x):
                at = i * len(rows) + j
                sums[at] = _multiply_add(builder, factor, y, sums[at])
        return context.make_tuple(builder, signature.return_type, sums)

    return tile(xs, array, rows, types.intp, tile), generate


@_compiled_by(_emit_add_products_with_rows)
def add_products_with_rows(
    xs: Tile, array: Array, rows: tuple[int, ...], column: int, tile: Tile
) -> Tile:
    """Return `add_products`, with the ys from a column of several rows."""
    ys = (_inside(array, row + column, len(xs[0])) for row in rows)
    return _add_all(xs, ys, tile)


def _emit_add_both_ways(typing, array, index, tile, total, vector, sums):
    def generate(context, builder, signature, arguments):
        place = _address(context, builder, signature.args[0], *arguments[:2])
        total, vector = arguments[3:5]
        parts, added = (cgutils.unpack_tuple(builder, arguments[i]) for i in (2, 5))
        # Each number is spread just before it is used, so that it needs one register.
        for i, part in enumerate(parts):
            number = builder.gep(place, [ir.Constant(_INT, i)], inbounds=True)
            weight = _splat(builder, builder.load(number), tile.dtype.lanes)
            added[i] = _multiply_add(builder, weight, vector, added[i])
            total = _multiply_add(builder, weight, part, total)
        results = total, context.make_tuple(builder, sums, added)
        return context.make_tuple(builder, signature.return_type, results)

    results = types.Tuple((total, sums))
    return results(array, types.intp, tile, total, vector, sums), generate


@_compiled_by(_emit_add_both_ways)
def add_both_ways(
    array: Array, index: int, tile: Tile, total: Vector, vector: Vector, sums: Tile
) -> tuple[Vector, Tile]:
    """Weight the vectors of a tile, and a vector for each of them, by the same numbers.

    Args:
        array: flat.
        index: where the numbers start in it, one for each vector of the tile.
        tile: is multiplied by the numbers and added to `total`.
        total: a vector.
        vector: is multiplied by each number and added to that part of `sums`.
        sums: a tile of the same size.

    Returns:
        The new total and sums.
    """
    weights = _inside(array, index, len(tile))
    for weight, part in zip(weights, tile, strict=True):
        total = total + weight * part
    pairs = zip(weights, sums, strict=True)
    return total, tuple(part + weight * vector for weight, part in pairs)


def _emit_store_sums(typing, array, index, tile):
    def generate(context, builder, signature, arguments):
        vectors = cgutils.unpack_tuple(builder, arguments[2])
        lanes = tile.dtype.lanes
        for first in range(0, len(vectors), lanes):
            sums = _sums(builder, vectors[first : first + lanes], lanes)
            index = builder.add(arguments[1], ir.Constant(arguments[1].type, first))
            place = _address(context, builder, array, arguments[0], index)
            _store(builder, sums, place)
        return context.get_dummy_value()

    return types.void(array, types.intp, tile), generate


@_compiled_by(_emit_store_sums)
def store_sums(array: Array, index: int, tile: Tile) -> None:
    """Write the sum over the lanes of each vector of a tile to a flat array.

    Whole vectors are written: zeros pad the sums to a multiple of W.
    """
    lanes = len(tile[0])
    room = _inside(array, index, -(-len(tile) // lanes) * lanes)
    room[:] = 0
    room[: len(tile)] = [vector.sum() for vector in tile]


# --- helpers of the emitters -------------------------------------------------------


def _inside(array: NDArray[Any], index: int, length: int) -> NDArray[Any]:
    if not 0 <= index <= len(array) - length:
        raise IndexError(f"{index} to {index + length} of {len(array)}")
    return array[index : index + length]


def _add_all(xs: Iterable[Vector], ys: Iterable[Vector], tile: Tile) -> Tile:
    products = [x * y for x, y in product(xs, ys)]
    return tuple(old + new for old, new in zip(tile, products, strict=True))


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [index], inbounds=True)


def _row_addresses(
    context: Any, builder: Any, kind: Any, arguments: Any
) -> Iterator[Any]:
    """Yield the address of each row at a column, given (array, rows, column, ...)."""
    for row in cgutils.unpack_tuple(builder, arguments[1]):
        index = builder.add(row, arguments[2])
        yield _address(context, builder, kind, arguments[0], index)


def _columns(builder: Any, place: Any, count: int, lanes: int) -> list[Any]:
    """Return the addresses of vectors that lie one after another."""
    return [
        builder.gep(place, [ir.Constant(_INT, i * lanes)], inbounds=True)
        for i in range(count)
    ]


def _load(builder: Any, place: Any, lanes: int) -> Any:
    vector = ir.VectorType(_FLOAT, lanes).as_pointer()
    return builder.load(builder.bitcast(place, vector), align=4)


def _store(builder: Any, vector: Any, place: Any) -> None:
    builder.store(vector, builder.bitcast(place, vector.type.as_pointer()), align=4)


def _prefetch(builder: Any, place: Any, how: tuple[int, int]) -> None:
    place = builder.bitcast(place, ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [place.type, _INT, _INT, _INT])
    function = cgutils.get_or_insert_function(
        builder.module, kind, "llvm.prefetch.p0i8"
    )
    write, locality, data = (ir.Constant(_INT, number) for number in (*how, 1))
    builder.call(function, (place, write, locality, data))


def _constant(value: float, lanes: int) -> Any:
    return ir.Constant(ir.VectorType(_FLOAT, lanes), [value] * lanes)


def _splat(builder: Any, scalar: Any, lanes: int) -> Any:
    empty = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(_INT, 0))
    return _shuffle(builder, first, first, [0] * lanes)


def _shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_INT, len(order)), order)
    return builder.shuffle_vector(a, b, mask)


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    # llvm.fma would call a library where the processor has no such instruction.
    kind = ir.FunctionType(a.type, [a.type] * 3)
    function = cgutils.get_or_insert_function(
        builder.module, kind, f"llvm.fmuladd.v{a.type.count}f32"
    )
    return builder.call(function, (a, b, c))


def _sums(builder: Any, vectors: list[Any], lanes: int) -> Any:
    """Return one vector whose lane i is the sum over the lanes of vector i.

    Vectors are joined in pairs: at each level, half of a pair's lanes are added to
    their neighbours in the other half, so that after log2(W) levels each lane is one
    sum. Lanes that stay in place cost a blend, which is cheaper than a shuffle.
    """
    level = vectors + [_constant(0.0, lanes)] * (lanes - len(vectors))
    step = 1
    while step < lanes:
        staying = [lane + lanes * bool(lane & step) for lane in range(lanes)]
        moving = [lane ^ step for lane in staying]
        level = [
            builder.fadd(
                _shuffle(builder, a, b, staying), _shuffle(builder, a, b, moving)
            )
            for a, b in zip(level[::2], level[1::2], strict=True)
        ]
        step *= 2
    return level[0]
