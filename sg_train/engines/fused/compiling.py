"""How the kernel is compiled, by numba.

Compiled modules (`block` and those that it imports) load numba, which takes most of a
second to import and to set up. So they are imported only here, and only to compile; see
`kernel`.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, typeof, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from sg_train.engines.fused import machine_code

# Without _nrt=False numba counts references to arrays in every window.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
# Only compiled code calls these, and without wrappers they compile in half the time.
_NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

inline = njit(forceinline=True, **_NO_WRAPPERS, **OPTIONS)


def compile_for(
    function: Callable[..., tuple[float, int]], arguments: tuple[Any, ...]
) -> bytes:
    """Compile a function for arguments of these types, into machine code.

    Args:
        function: compiled by `njit`; returns two numbers.
        arguments: numbers, arrays of one dimension, and tuples of such.

    Returns:
        Code that `machine_code.load` takes. It expects the address of the words that
        `kernel.pack` makes of (results, arguments), and writes both numbers to the
        array `results`, (2,) float64.
    """
    kind: types.Type = typeof(_like((np.zeros(2), arguments)))
    unpack = _unpacker(kind)

    def entry(words: Any) -> None:
        results, unpacked = unpack(words)
        results[0], results[1] = function(*unpacked)

    signature = types.void(types.CPointer(types.uint64))
    compiled: Any = njit(signature, **_NO_WRAPPERS, **OPTIONS)(entry)
    (overload,) = compiled.overloads.values()
    return machine_code.translate(
        overload.library.get_llvm_str(), overload.fndesc.llvm_func_name
    )


def _like(value: Any) -> Any:
    """Return a value of the same types, with empty arrays."""
    if isinstance(value, np.ndarray):
        return np.empty(0, value.dtype)  # whatever is read-only may be passed as well
    if not isinstance(value, tuple):
        return value
    parts = map(_like, value)
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)


def _unpacker(kind: types.Type) -> Any:
    """Return a compiled function that makes a value of a type from words in memory."""

    @intrinsic
    def unpack(typing: Any, words: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _build(context, builder, kind, _words(builder, args[0]))

        return kind(words), emit

    return unpack


def _words(builder: Any, address: Any) -> Iterator[Any]:
    for place in count():
        word = builder.gep(address, [ir.Constant(ir.IntType(32), place)])
        yield builder.load(word)


def _build(context: Any, builder: Any, kind: Any, words: Iterator[Any]) -> Any:
    if isinstance(kind, types.BaseTuple):
        parts = [_build(context, builder, part, words) for part in kind]  # type: ignore[attr-defined]
        return context.make_tuple(builder, kind, parts)
    word = next(words)
    if isinstance(kind, types.Array):
        return _array(context, builder, kind, word, next(words))
    if isinstance(kind, types.Float):
        return builder.bitcast(word, ir.DoubleType())
    return context.cast(builder, word, types.uint64, kind)


def _array(context: Any, builder: Any, kind: Any, address: Any, length: Any) -> Any:
    array = make_array(kind)(context, builder)
    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    step = context.get_constant(types.intp, size)
    populate_array(
        array,
        data=builder.inttoptr(address, array.data.type),
        shape=[length],
        strides=[step],
        itemsize=step,
        meminfo=None,
    )
    return array._getvalue()
