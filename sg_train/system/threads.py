"""Work done by several threads, with results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sg_train.system.machine import available_cpus

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def on_all_cpus(
    function: Callable[[_Item], _Result], items: Iterable[_Item]
) -> Iterator[_Result]:
    """Apply a function of matrix products on all CPUs; see `in_order`."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 (reads all libraries)

    with threadpool_limits(1, "blas"):  # whose threads would wait for one another
        yield from in_order(function, items, available_cpus())


def in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int
) -> Iterator[_Result]:
    """Apply a function on several threads; the results keep the items' order.

    At most `threads + 1` items are in memory at a time. An exception from the function
    is raised when its result is due.

    >>> list(in_order(len, ["a", "bb"], threads=2))
    [1, 2]
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
