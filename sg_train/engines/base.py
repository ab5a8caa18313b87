"""What an engine does, whoever does it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sg_train.sampling.loader import Place


@dataclass(frozen=True)
class BlockResult:
    """What came of training on one block.

    Attributes:
        place: which block, in which epoch.
        words: the block's words before subsampling.
        pairs: the (context, centre) pairs that were trained.
        loss: their summed loss; one pair's is that of its positive and its negatives,
            with the weights as they were before its step. Batches, or a
            thousand windows, are added up in float64.
        learning_rate: at the block's last step.
    """

    place: Place
    words: int
    pairs: int
    loss: float
    learning_rate: float


@dataclass(frozen=True, eq=False)
class Frozen:
    """Rows that stay as they are for a time.

    Attributes:
        u: (V,) bool, rows of the input vectors.
        v: (V,) bool, rows of the output vectors.
        during: says of a place whether they stay as they are there.
    """

    u: NDArray[np.bool_]
    v: NDArray[np.bool_]
    during: Callable[[Place], bool]


class Engine(Protocol):
    """Carries out the training step on a model's weights."""

    def compile(self) -> None:
        """Get ready what is made once for all runs."""
        ...

    def train(self, places: Iterable[Place]) -> Iterator[BlockResult]:
        """Train on blocks and yield each one's result as soon as it is done.

        When the iterator ends, all work on `places` is done and the model's weights are
        up to date.
        """
        ...
