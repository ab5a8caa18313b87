"""Ranks that are connected by torch.distributed."""

import datetime
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from sg_train.errors import ReportedElsewhere, SgTrainError, TrainingError
from sg_train.system.ranks import Ranks

T = TypeVar("T")

_JOIN = datetime.timedelta(minutes=5)
_KNOCK = datetime.timedelta(seconds=3)
_LONG = datetime.timedelta(days=30)  # the first rank may be preparing a corpus
_CENSUS_SECONDS = 3.0


class _OtherRankError(TrainingError):
    """An error of another rank, as the first rank reports it."""


class _LostError(TrainingError):
    """Ranks do not answer, so the ranks can no longer coordinate."""


class Group(Ranks):
    """This process as one of several, connected by torch.distributed."""

    def __init__(self) -> None:
        """Join the others.

        Raises:
            TrainingError: they cannot be joined.
        """
        self._timeout = _JOIN.total_seconds()
        try:
            launchers, self.rank, self.size = next(rendezvous("env://", timeout=_JOIN))
            self._store = _open_store(launchers, self.rank, self.size)
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
                store=PrefixStore("group", self._store),
                rank=self.rank,
                world_size=self.size,
                timeout=_JOIN,
            )
            self._group = dist.group.WORLD
            self._patient = dist.new_group(backend="gloo", timeout=_LONG)
        except (RuntimeError, ValueError) as error:
            reason = str(error).split("\n")[0]
            raise TrainingError(f"cannot join the other ranks: {reason}") from error

    def wait_at_most(self, seconds: float) -> None:
        """Declare a rank lost if it does not answer for this long."""
        self._timeout = seconds
        with self._named():
            self._group = dist.new_group(timeout=datetime.timedelta(seconds=seconds))

    def add(self, tensor: torch.Tensor) -> None:
        """Replace a tensor by its sum over all ranks."""
        began = time.perf_counter()
        with self._named():
            dist.all_reduce(tensor, group=self._group)
            if tensor.is_cuda:
                torch.cuda.synchronize(tensor.device)
        self.seconds += time.perf_counter() - began
        # Ring all-reduce: n - 1 of n shares are sent twice, to sum and to distribute.
        size = tensor.numel() * tensor.element_size()
        self.bytes_sent += 2 * size * (self.size - 1) // self.size

    def copy_first(self, tensor: torch.Tensor) -> None:
        """Replace a tensor by that of the first rank."""
        with self._named():
            dist.broadcast(tensor, 0, self._group)

    def largest(self, *numbers: int) -> list[int]:
        """Return, for each number, the largest of all ranks."""
        largest = torch.tensor(numbers)
        with self._named():
            dist.all_reduce(largest, dist.ReduceOp.MAX, self._group)
        return [int(number) for number in largest]

    def gather(self, value: T) -> list[T]:
        """Return every rank's value, in rank order; wait as long as it takes."""
        return self._gather(value, None)

    def _gather(self, value: T, failure: str | None) -> list[T]:
        """Gather values, or raise the error of the first rank that failed."""
        answers: list[Any] = [None] * self.size
        with self._named():
            dist.all_gather_object(answers, (value, failure), self._patient)
        for rank, (_, reason) in enumerate(answers):
            if reason is not None:
                kind = _OtherRankError if self.is_first else ReportedElsewhere
                raise kind(f"rank {rank}: {reason}")
        return [theirs for theirs, _ in answers]

    @contextmanager
    def failing_together(self) -> Iterator[None]:
        """Make a failure on one rank in the `with` block fail on all ranks."""
        try:
            yield
        except (_OtherRankError, _LostError, ReportedElsewhere):
            raise
        except SgTrainError as error:
            # The other ranks receive the error when they next gather.
            try:
                self._gather(None, str(error))
            except ReportedElsewhere:
                raise
            except _OtherRankError:
                pass
            raise
        self._gather(None, None)

    def leave(self) -> None:
        """Leave the others, once all work is done."""
        dist.destroy_process_group()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn a communication failure into an error that names the lost ranks."""
        try:
            yield
        except RuntimeError as error:
            raise self._lost(error) from error

    def _lost(self, error: RuntimeError) -> TrainingError:
        """Return an error that names the lost ranks; the lowest left reports it."""
        self._store.set(f"here/{self.rank}", "yes")
        deadline = time.monotonic() + _CENSUS_SECONDS
        missing = [
            rank
            for rank in range(self.size)
            if not self._has(f"here/{rank}", deadline - time.monotonic())
        ]
        names = ", ".join(map(str, missing))
        reporter = min(set(range(self.size)) - set(missing), default=self.rank)
        if missing:
            what = (
                f"rank {names} of {self.size} no longer answers: it was killed, or has "
                f"hung for distributed.timeout_seconds={self._timeout:g}"
            )
        else:
            what = f"the ranks lost contact ({str(error).splitlines()[0]})"
        message = f"{what}; continue from the last checkpoint with sg-train resume"
        if self.rank == reporter:
            self._store.set("reported", "yes")
            return _LostError(message)
        # The launcher ends all ranks when one exits: let the other rank report first.
        self._has("reported", _CENSUS_SECONDS)
        return ReportedElsewhere(message)

    def _has(self, key: str, seconds: float) -> bool:
        try:
            self._store.wait([key], datetime.timedelta(seconds=max(0.1, seconds)))
        except RuntimeError:
            return False
        return True


def _open_store(launchers: Store, rank: int, size: int) -> TCPStore:
    """Open a store that only these ranks use.

    The launcher's store outlives them: after a restart it still holds the addresses of
    the previous ranks, which are no longer valid.

    Raises:
        RuntimeError: the first rank's store does not answer.
    """
    host = os.environ["MASTER_ADDR"]
    key = f"sg-train/{os.environ.get('TORCHELASTIC_RESTART_COUNT')}/{size}"
    if rank == 0:
        store = TCPStore(host, 0, is_master=True, wait_for_workers=False)
        launchers.set(key, str(store.port))
        return store
    deadline = time.monotonic() + _JOIN.total_seconds()
    while True:
        port = int(launchers.get(key))
        try:
            return TCPStore(host, port, timeout=_KNOCK, wait_for_workers=False)
        except RuntimeError:  # an old address, or the store is not open yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
