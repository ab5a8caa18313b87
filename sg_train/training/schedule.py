"""How the learning rate falls over a run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sg_train.sampling.loader import Place


@dataclass(frozen=True)
class LinearSchedule:
    """A learning rate that falls linearly with the words of the whole run.

    It is a function of a word's place in the run alone, so it does not depend on how
    many threads or processes share the work, and needs no state to resume.

    Attributes:
        first: the rate at the first word of the first epoch.
        last: the rate at the last word of the last epoch.
        epochs: how often the corpus is gone through.
        block_starts: (blocks + 1,) int64, the word at which each block starts, and the
            number of words of the corpus.
    """

    first: float
    last: float
    epochs: int
    block_starts: NDArray[np.int64]

    @property
    def words(self) -> int:
        """How many words the whole run goes through."""
        return self.epochs * self._corpus_words

    @property
    def _corpus_words(self) -> int:
        return int(self.block_starts[-1])

    def words_before(self, place: Place) -> int:
        """Return how many words of the run come before a block."""
        return place.epoch * self._corpus_words + int(self.block_starts[place.block])

    def __call__(self, place: Place, position: int) -> float:
        """Return the rate at a word, given by its block and its position in that."""
        done = self.words_before(place) + position
        return self.first + (self.last - self.first) * done / max(1, self.words - 1)
