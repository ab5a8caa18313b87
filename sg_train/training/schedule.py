"""How the learning rate falls over a run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sg_train.blocks import BlockRef
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

    >>> schedule = LinearSchedule(0.05, 0.0, 1, np.array([0, 6, 11]))
    >>> schedule.blocks, schedule.line(BlockRef(0, 0))(0)
    (2, 0.05)
    """

    first: float
    last: float
    epochs: int
    block_starts: NDArray[np.int64]

    @property
    def blocks(self) -> int:
        """The number of blocks of the corpus."""
        return len(self.block_starts) - 1

    @property
    def total_blocks(self) -> int:
        """The number of blocks of the whole run."""
        return self.blocks * self.epochs

    @property
    def words(self) -> int:
        """The number of words that the whole run passes over."""
        return self.epochs * self._corpus_words

    @property
    def _corpus_words(self) -> int:
        return int(self.block_starts[-1])

    def words_before(self, position: int) -> int:
        """Return how many words come before block number `position` of the run."""
        epoch, block = divmod(position, self.blocks)
        return epoch * self._corpus_words + int(self.block_starts[block])

    def line(self, ref: BlockRef) -> RateLine:
        """Return the rate within a block."""
        before = self.words_before(ref.epoch * self.blocks + ref.block)
        size = int(self.block_starts[ref.block + 1] - self.block_starts[ref.block])
        start = self._rate(before)
        steps = max(1, size - 1)
        return RateLine(start, (self._rate(before + size - 1) - start) / steps)

    def _rate(self, word: int) -> float:
        return self.first + (self.last - self.first) * word / max(1, self.words - 1)
