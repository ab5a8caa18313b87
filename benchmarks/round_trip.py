"""The time in which a word of memory goes from one CPU to another and back.

Two CPUs that share a cache take less than 150 ns, others 300 and more. On a virtual
machine this may change from minute to minute.
"""

import os
import threading
import time
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

SHARED_BELOW = 150  # ns
_PATIENCE = 1800  # seconds
_PAUSE = 2
_ROUNDS = 50_000
_TRIES = 3
_LINE = 64  # bytes


def _emit_read(typing: Any, address: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(place, "seq_cst", 8)

    return types.int64(types.int64), emit


def _emit_write(typing: Any, address: Any, number: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        builder.store_atomic(arguments[1], place, "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


_read: Any = intrinsic(_emit_read)
_write: Any = intrinsic(_emit_write)


@njit("void(int64, int64, int64)", nogil=True)
def _take_turns(address: int, first: int, rounds: int) -> None:
    """Wait for each number of the other thread, and write the one after it."""
    for number in range(first, first + 2 * rounds, 2):
        while _read(address) != number:
            pass
        _write(address, number + 1)


def round_trip() -> float:
    """Return the time in ns of a round trip between the first two CPUs allowed.

    The shortest of some tries, since others may need the CPUs meanwhile.
    """
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("a round trip needs two CPUs; this process may use only one")
    return min(_try_round_trips() for _ in range(_TRIES))


def wait_for_shared_cache() -> None:
    """Return as soon as the first two CPUs allowed share a cache."""
    give_up = time.monotonic() + _PATIENCE
    while round_trip() >= SHARED_BELOW:
        if time.monotonic() > give_up:
            raise SystemExit(
                f"the CPUs have not shared a cache for {_PATIENCE} s; try again later"
            )
        time.sleep(_PAUSE)


def _try_round_trips() -> float:
    room = np.zeros(2 * _LINE // 8, dtype=np.int64)
    address = room.ctypes.data + -room.ctypes.data % _LINE
    cpus = sorted(os.sched_getaffinity(0))[:2]

    def run(cpu: int, first: int) -> None:
        os.sched_setaffinity(0, {cpu})  # of this thread only
        _take_turns(address, first, _ROUNDS)

    threads = [
        threading.Thread(target=run, args=(cpu, first))
        for first, cpu in enumerate(cpus)
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - start) / _ROUNDS * 1e9
