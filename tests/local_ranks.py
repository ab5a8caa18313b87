"""Ranks that are threads of one process, for tests."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

from sg_train.system.ranks import Ranks

T = TypeVar("T")


class LocalRanks(Ranks):
    def __init__(self, rank: int, size: int, shared: "Shared") -> None:
        self.rank = rank
        self.size = size
        self._shared = shared

    def gather(self, value: T) -> list[T]:
        self._shared.values[self.rank] = value
        self._shared.barrier.wait()
        values = list(self._shared.values)
        self._shared.barrier.wait()
        return values

    def add(self, tensor: torch.Tensor) -> None:
        tensor.copy_(torch.stack(self.gather(tensor.clone())).sum(0))

    def copy_first(self, tensor: torch.Tensor) -> None:
        tensor.copy_(self.gather(tensor.clone())[0])


class Shared:
    def __init__(self, size: int) -> None:
        self.values: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=60)


def on_ranks(size: int, work: Callable[[Ranks], T]) -> list[T]:
    """Do something on so many ranks at the same time."""
    shared = Shared(size)
    with ThreadPoolExecutor(size) as pool:
        return list(
            pool.map(lambda rank: work(LocalRanks(rank, size, shared)), range(size))
        )
