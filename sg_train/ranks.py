"""The processes that train together, as torchrun and its like launch them.

A process learns of the others by the variables RANK, WORLD_SIZE, MASTER_ADDR and
MASTER_PORT. Without them it trains alone, and everything below does next to nothing.
"""

import datetime
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from sg_train.errors import SgTrainError, TrainingError

T = TypeVar("T")

_JOIN = datetime.timedelta(minutes=5)
_KNOCK = datetime.timedelta(seconds=3)
_LONG = datetime.timedelta(days=30)  # the first rank may prepare a corpus meanwhile
_CENSUS_SECONDS = 3.0


class Ranks:
    """This process among those that train together; of this class, it is alone.

    Attributes:
        rank: its number, from 0.
        size: how many there are.
        seconds: spent in exchanging, waiting for others included.
        bytes_sent: by this rank in exchanging.
    """

    rank = 0
    size = 1
    seconds = 0.0
    bytes_sent = 0

    @property
    def is_first(self) -> bool:
        """Whether this rank is the one that writes and speaks."""
        return self.rank == 0

    def wait_at_most(self, seconds: float) -> None:
        """Give a rank up that does not answer for so long."""

    def add(self, tensor: torch.Tensor) -> None:
        """Replace a tensor by its sum over all ranks."""

    def copy_first(self, tensor: torch.Tensor) -> None:
        """Replace a tensor by that of the first rank."""

    def largest(self, *numbers: int) -> list[int]:
        """Return the largest of all ranks' numbers, each by its place."""
        return list(numbers)

    def gather(self, value: T) -> list[T]:
        """Return every rank's value, by rank, however long the others take.

        Raises:
            SgTrainError: another rank failed in what all do `together`.
        """
        return [value]

    def first(self, action: Callable[[], T]) -> T:
        """Do something on the first rank, however long it takes; return it to all.

        Raises:
            SgTrainError: what the first rank raised, on all.
        """
        return action()

    def together(self, action: Callable[[], T]) -> T:
        """Do something on every rank; what fails on one fails on all.

        Args:
            action: may `gather`, as often on every rank, and nothing else of this.

        Raises:
            SgTrainError: what was raised, on all; said by the first rank.
        """
        return action()

    def agreed(self, error: SgTrainError) -> SgTrainError:
        """Mark an error that all ranks raise alike: only the first one says it."""
        error.is_silent = not self.is_first
        return error


class _SharedError(TrainingError):
    """All ranks know of this."""


class Group(Ranks):
    """This process among several, over torch.distributed."""

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
        """Give a rank up that does not answer for so long."""
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
        # A ring sends all but its own share, once to add up and once to spread.
        size = tensor.numel() * tensor.element_size()
        self.bytes_sent += 2 * size * (self.size - 1) // self.size

    def copy_first(self, tensor: torch.Tensor) -> None:
        """Replace a tensor by that of the first rank."""
        with self._named():
            dist.broadcast(tensor, 0, self._group)

    def largest(self, *numbers: int) -> list[int]:
        """Return the largest of all ranks' numbers, each by its place."""
        largest = torch.tensor(numbers)
        with self._named():
            dist.all_reduce(largest, dist.ReduceOp.MAX, self._group)
        return [int(number) for number in largest]

    def gather(self, value: T) -> list[T]:
        """Return every rank's value, by rank, however long the others take."""
        return self._gather(value, None)

    def _gather(self, value: T, failure: str | None) -> list[T]:
        """Gather, and fail with the first of those who have failed."""
        answers: list[Any] = [None] * self.size
        with self._named():
            dist.all_gather_object(answers, (value, failure), self._patient)
        for rank, (_, said) in enumerate(answers):
            if said is not None:
                raise self.agreed(_SharedError(f"rank {rank}: {said}"))
        return [theirs for theirs, _ in answers]

    def first(self, action: Callable[[], T]) -> T:
        """Do something on the first rank, however long it takes; return it to all."""
        result: list[Any] = [None, None]
        mine: SgTrainError | None = None
        if self.is_first:
            try:
                result[0] = action()
            except SgTrainError as error:
                mine, result[1] = error, str(error)
        with self._named():
            dist.broadcast_object_list(result, 0, self._patient)
        if mine is not None:
            raise mine
        if result[1] is not None:
            raise self.agreed(TrainingError(result[1]))
        value: T = result[0]
        return value

    def together(self, action: Callable[[], T]) -> T:
        """Do something on every rank; what fails on one fails on all."""
        try:
            value = action()
        except _SharedError:
            raise
        except SgTrainError as error:
            # The others learn of it wherever they gather next.
            try:
                self._gather(None, str(error))
            except _SharedError:
                if not self.is_first:
                    raise
            raise
        self._gather(None, None)
        return value

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Turn a failure to reach others into an error that names them."""
        try:
            yield
        except RuntimeError as error:
            raise self._lost(error) from error

    def _lost(self, error: RuntimeError) -> TrainingError:
        """Find out who is left; the lowest rank of these is to say it."""
        self._store.set(f"here/{self.rank}", "yes")
        deadline = time.monotonic() + _CENSUS_SECONDS
        missing = [
            rank
            for rank in range(self.size)
            if not self._has(f"here/{rank}", deadline - time.monotonic())
        ]
        names = ", ".join(map(str, missing))
        speaker = min(set(range(self.size)) - set(missing), default=self.rank)
        if missing:
            what = f"rank {names} of {self.size} no longer answers: it was ended, or "
            what += f"hangs for more than distributed.timeout_seconds={self._timeout:g}"
        else:
            what = f"the ranks lost one another ({str(error).splitlines()[0]})"
        lost = TrainingError(f"{what}; sg-train resume goes on from the checkpoint")
        lost.is_silent = self.rank != speaker
        if lost.is_silent:  # a launcher ends all when one ends: let it speak first
            self._has("said", _CENSUS_SECONDS)
        else:
            self._store.set("said", "yes")
        return lost

    def _has(self, key: str, seconds: float) -> bool:
        try:
            self._store.wait([key], datetime.timedelta(seconds=max(0.1, seconds)))
        except RuntimeError:
            return False
        return True


def _open_store(launchers: Store, rank: int, size: int) -> TCPStore:
    """Open a store of these ranks' own.

    The launcher's outlives them, and what those wrote there who were before them, when
    it starts ranks anew, leads nowhere.

    Raises:
        RuntimeError: the first rank's does not answer.
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
        except RuntimeError:  # it is an old one, or not there yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def local_rank() -> int:
    """Return this process's number among the ranks of its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_ranks() -> int:
    """Return how many ranks this machine has."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_launched_with_others() -> bool:
    """Say whether this process is one of several that train together."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def launched() -> dict[str, Any] | None:
    """Say what launched this process: the same after a fault when it does so anew.

    Returns:
        Its `job`, by the name that torchrun's --rdzv-id gave it, and its `agent`, the
        process; None if torchrun did not launch it.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    job = os.environ["TORCHELASTIC_RUN_ID"]
    agent = [socket.gethostname(), os.getppid(), _started_at(os.getppid())]
    return {"job": None if job == "none" else job, "agent": agent}


def _started_at(process: int) -> str | None:
    """Return when a process began, in the system's own count, if that is known."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


@contextmanager
def open_ranks() -> Iterator[Ranks]:
    """Join the processes that train together, if this one was launched with others.

    Raises:
        TrainingError: they cannot be joined.
    """
    if not is_launched_with_others():
        yield Ranks()
        return
    group = Group()
    yield group
    dist.destroy_process_group()  # not after an error, when others may not answer
