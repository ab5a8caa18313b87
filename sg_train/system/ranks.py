"""The processes that train together, launched by torchrun or a similar launcher.

A process finds the others through the environment variables RANK, WORLD_SIZE,
MASTER_ADDR and MASTER_PORT. Without them it trains by itself, and the functions below
do almost nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from sg_train.errors import ReportedElsewhere, SgTrainError
from sg_train.system.launch import is_launched_with_others

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class Ranks:
    """This process as one of those that train together; here, the only one.

    Attributes:
        rank: its number, from 0.
        size: the number of ranks.
        seconds: time spent exchanging, including waiting for other ranks.
        bytes_sent: number of bytes that this rank has sent in exchanges.
    """

    rank = 0
    size = 1
    seconds = 0.0
    bytes_sent = 0

    @property
    def is_first(self) -> bool:
        """Whether this rank is the one that writes files and messages."""
        return self.rank == 0

    def wait_at_most(self, seconds: float) -> None:
        """Declare a rank lost if it does not answer for this long."""

    def add(self, tensor: "Tensor") -> None:
        """Replace a tensor by its sum over all ranks."""

    def copy_first(self, tensor: "Tensor") -> None:
        """Replace a tensor by that of the first rank."""

    def largest(self, *numbers: int) -> list[int]:
        """Return, for each number, the largest of all ranks."""
        return list(numbers)

    def gather(self, value: T) -> list[T]:
        """Return every rank's value, in rank order; wait as long as it takes.

        Raises:
            TrainingError: another rank failed in a `failing_together` block.
        """
        return [value]

    def from_first(self, value: T) -> T:
        """Return the first rank's value on all ranks; ignore the others' values.

        Raises:
            TrainingError: another rank failed in a `failing_together` block.
        """
        return self.gather(value)[0]

    def alike(self, error: SgTrainError) -> SgTrainError:
        """Return an error for all ranks to raise; only the first rank reports it."""
        return error if self.is_first else ReportedElsewhere(str(error))

    @contextmanager
    def failing_together(self) -> Iterator[None]:
        """Make a failure on one rank in the `with` block fail on all ranks.

        In the block, all ranks must gather the same number of times. The first rank
        reports the error.
        """
        yield


@contextmanager
def open_ranks() -> Iterator[Ranks]:
    """Join the processes that train together, if this one was launched with others.

    Raises:
        TrainingError: they cannot be joined.
    """
    if not is_launched_with_others():
        yield Ranks()
        return
    from sg_train.system.group import Group  # noqa: PLC0415 (loads torch)

    group = Group()
    yield group
    group.leave()  # not after an error, when others may not answer
