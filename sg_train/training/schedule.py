"""In which order a run trains on blocks, and how the learning rate falls meanwhile."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sg_train.blocks import BlockRef
from sg_train.config import Config
from sg_train.engines.base import RateLine


@dataclass(frozen=True)
class LinearSchedule:
    """A learning rate that falls linearly with the words of the whole run.

    It depends only on a word's position in the run, so it does not depend on how many
    threads or processes share the work, and resuming needs no state.

    Attributes:
        first: the rate at the first word of the first epoch.
        last: the rate at the last word of the last epoch.
        epochs: how often training passes over the corpus.
        block_starts: (blocks + 1,) int64, the word at which each block starts, and the
            number of words of the corpus.
        held_out: the numbers of the blocks that training leaves out.

    >>> schedule = LinearSchedule(0.05, 0.0, 1, np.array([0, 6, 11]))
    >>> schedule.blocks, schedule.line(BlockRef(0, 0))(0)
    (2, 0.05)
    """

    first: float
    last: float
    epochs: int
    block_starts: NDArray[np.int64]
    held_out: tuple[int, ...] = ()

    @classmethod
    def of(cls, config: Config, block_starts: NDArray[np.int64]) -> "LinearSchedule":
        """Return the schedule that settings ask for, which must have numbers."""
        training = config.training
        # `auto` has been replaced where the run begins.
        assert training.epochs != "auto"
        assert training.learning_rate != "auto"
        return cls(
            training.learning_rate,
            training.final_learning_rate,
            training.epochs,
            block_starts,
            held_out_blocks(len(block_starts) - 1, config.evaluation.held_out),
        )

    @property
    def blocks(self) -> int:
        """The number of blocks of an epoch."""
        return len(self._trained)

    @property
    def total_blocks(self) -> int:
        """The number of blocks of the whole run."""
        return self.blocks * self.epochs

    @property
    def words(self) -> int:
        """The number of words that the whole run passes over."""
        return self.epochs * self.epoch_words

    @property
    def epoch_words(self) -> int:
        """The number of words that an epoch passes over."""
        return int(self._starts[-1])

    def ref(self, position: int) -> BlockRef:
        """Return the address of block number `position` of the run."""
        epoch, index = divmod(position, self.blocks)
        return BlockRef(epoch, int(self._trained[index]))

    def words_before(self, position: int) -> int:
        """Return how many words come before block number `position` of the run."""
        epoch, index = divmod(position, self.blocks)
        return epoch * self.epoch_words + int(self._starts[index])

    def words_before_block(self, ref: BlockRef) -> int:
        """Return how many words of the run come before a block."""
        index = int(np.searchsorted(self._trained, ref.block))
        return self.words_before(ref.epoch * self.blocks + index)

    def line(self, ref: BlockRef) -> RateLine:
        """Return the rate within a block."""
        before = self.words_before_block(ref)
        size = int(self.block_starts[ref.block + 1] - self.block_starts[ref.block])
        start = self._rate(before)
        steps = max(1, size - 1)
        return RateLine(start, (self._rate(before + size - 1) - start) / steps)

    def _rate(self, word: int) -> float:
        return self.first + (self.last - self.first) * word / max(1, self.words - 1)

    @cached_property
    def _trained(self) -> NDArray[np.int64]:
        """The numbers of the blocks of an epoch, in their order."""
        return np.setdiff1d(np.arange(len(self.block_starts) - 1), self.held_out)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """How many words of an epoch come before each of its blocks, and in all."""
        sizes = np.diff(self.block_starts)[self._trained]
        return np.concatenate(([0], np.cumsum(sizes)))


def held_out_blocks(blocks: int, share: float) -> tuple[int, ...]:
    """Return which blocks training leaves out: at least one, evenly spaced.

    Args:
        blocks: of the corpus.
        share: of the blocks; with 0, none is left out.

    >>> held_out_blocks(200, 0.01), held_out_blocks(6, 0.01), held_out_blocks(6, 0)
    ((50, 150), (3,), ())
    """
    count = max(1, round(share * blocks)) if share else 0
    return tuple((2 * i + 1) * blocks // (2 * count) for i in range(count))
