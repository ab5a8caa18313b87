"""The kernel as a function, compiled on the first run and loaded on later ones.

Machine code is specific to the types of the arguments, the processor and the versions
of sg-train and of the compiler. It is loaded without numba, so that only the first run
pays for importing it.
"""

import os
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from struct import pack as to_bytes
from struct import unpack as from_bytes
from typing import Any

import llvmlite
import numpy as np
from numpy.typing import NDArray

from sg_train.engines.fused import machine_code
from sg_train.engines.fused.layout import Scratch, Shape
from sg_train.engines.fused.tables import Draws

_PACKAGE = Path(__file__).parents[2]
_IS_PLAIN = os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}
_MASK = (1 << 64) - 1

_loaded: dict[str, Callable[[int], None]] = {}


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
    """Train on one block, in place; see `block.train_block`."""
    arguments = u, v, ids, offsets, rates, shape, draws, scratch
    if _IS_PLAIN:
        from sg_train.engines.fused import block  # noqa: PLC0415 (loads numba)

        return block.train_block(*arguments)
    results = np.zeros(2)
    words = np.fromiter(pack((results, arguments)), np.uint64)
    types = _types_of(arguments)
    if types not in _loaded:
        _loaded[types] = _load(types, arguments)
    _loaded[types](words.ctypes.data)
    return float(results[0]), int(results[1])


def pack(value: Any) -> Iterator[int]:
    """Yield the 64-bit words from which the kernel makes its arguments.

    An array gives its address and its length.

    >>> list(pack((1, (True, -1))))
    [1, 1, 18446744073709551615]
    """
    if isinstance(value, tuple):
        for part in value:
            yield from pack(part)
    elif isinstance(value, np.ndarray):
        yield value.ctypes.data
        yield len(value)
    elif isinstance(value, float):
        yield from from_bytes("=Q", to_bytes("=d", value))
    else:
        yield int(value) & _MASK


def _types_of(value: Any) -> str:
    """Describe the types that code is compiled for.

    >>> _types_of((1, (0.5,), np.zeros(1, np.int32)))
    '(int,(float,),int32[],)'
    """
    if isinstance(value, tuple):
        return f"({''.join(_types_of(part) + ',' for part in value)})"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}[]"
    return type(value).__name__


def _load(types: str, arguments: tuple[Any, ...]) -> Callable[[int], None]:
    key = repr((types, *_versions())).encode()
    code = machine_code.read(key)
    if code is None:
        from sg_train.engines.fused import block, compiling  # noqa: PLC0415 (numba)

        code = compiling.compile_for(block.train_block, arguments)
        machine_code.write(key, code)
    return machine_code.load(code)


@cache
def _versions() -> tuple[object, ...]:
    """Return everything besides the types that decides what the compiler makes."""
    sources = [
        *sorted(Path(__file__).parent.glob("*.py")),
        _PACKAGE / "engines" / "simd.py",
        _PACKAGE / "sampling" / "draws.py",
    ]
    code = tuple(source.read_bytes() for source in sources)
    return (
        machine_code.processor(),
        llvmlite.__version__,
        version("numba"),
        code,
    )
