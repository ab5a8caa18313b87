"""The interface that every engine implements, and its guarantees.

An engine carries out the training step (docs/step.md) on a model's weights. It declares

* how exact it is: `windows_per_step`, the number of windows whose dots are all computed
  before any of them moves a row. 1 is the definition of the step; B is a mini-batch of
  B windows. In addition, several threads may share the weights without waiting for one
  another;
* which settings it does not support, so that `auto` can skip it and give the reason;
* how much memory it needs, before it allocates any.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sg_train.blocks import Block, BlockRef
from sg_train.config import Config
from sg_train.model.embeddings import Model
from sg_train.sampling.touches import Touches
from sg_train.sampling.windows import SamplingPlan
from sg_train.vectors.ngrams import WordRows


class RateLine(NamedTuple):
    """The learning rate within a block: a straight line.

    >>> RateLine(0.05, -0.001)(10)
    0.04
    """

    start: float
    slope: float

    def __call__(self, position: int) -> float:
        """Return the rate at a word, given by its position in the block."""
        return self.start + self.slope * position


class Schedule(Protocol):
    """How the learning rate falls over a run."""

    def line(self, ref: BlockRef) -> RateLine:
        """Return the rate within a block; a slice has the line of its block."""
        ...


@dataclass(frozen=True)
class BlockResult:
    """The result of training on one block.

    Attributes:
        ref: which block, in which epoch.
        words: the block's words before subsampling.
        pairs: the (context, centre) pairs that were trained.
        loss: their summed loss, each pair's over its positive and its negatives, with
            the weights as they were before its step. The sums of batches, or of a
            thousand windows each, are added in float64.
        learning_rate: at the block's last step.
    """

    ref: BlockRef
    words: int
    pairs: int
    loss: float
    learning_rate: float


@dataclass(frozen=True, eq=False)
class Frozen:
    """Rows that stay fixed during part or all of a run.

    Attributes:
        u: (V,) bool, rows of the input vectors.
        v: (V,) bool, rows of the output vectors.
        during: returns whether they stay fixed in a block.
    """

    u: NDArray[np.bool_]
    v: NDArray[np.bool_]
    during: Callable[[BlockRef], bool]


class Engine(Protocol):
    """Carries out the training step on a model's weights."""

    def compile(self) -> None:
        """Compile the engine's code, if any, before the first block."""
        ...

    def train(self, refs: Iterable[BlockRef]) -> Iterator[BlockResult]:
        """Train on blocks and yield each one's result as soon as it is done.

        When the iterator ends, all work on `refs` is done and the model's weights are
        up to date.
        """
        ...


@dataclass(frozen=True, eq=False)
class Task:
    """Everything that an engine is built from.

    Attributes:
        config: the settings.
        counts: (V,) int64, how often each word occurs.
        read_block: returns a block by its number.
        blocks: the number of blocks.
        plan: the settings and tables that decide the draws.
        schedule: how the learning rate falls.
        threads: how many may train at the same time.
        device: the device that holds the model, as torch names it.
        frozen: rows that stay fixed, if any.
        word_rows: the rows of u that each word's input vector is made of, if it is
            made of several.
    """

    config: Config
    counts: NDArray[np.int64]
    read_block: Callable[[int], Block]
    blocks: int
    plan: SamplingPlan
    schedule: Schedule
    threads: int
    device: str
    frozen: Frozen | None = None
    word_rows: WordRows | None = None

    @cached_property
    def touches(self) -> Touches:
        """How often training is expected to touch each row."""
        sampling = self.config.sampling
        return Touches.expect(
            self.counts,
            window=sampling.window,
            dynamic=sampling.dynamic_window,
            negatives=sampling.negatives,
            negative_exponent=sampling.negative_exponent,
            subsample=sampling.subsample,
        )


@dataclass(frozen=True)
class EngineSpec:
    """The properties of an engine that are known before it is built.

    Attributes:
        name: as in `training.engine`; the module of an engine has the same name.
        why_not: returns the setting that the engine does not support, with the reason;
            None if it supports all.
        windows_per_step: returns how many windows one step takes; see above.
        threads: returns how many of the allowed threads it uses.
        memory: returns the bytes that it needs, by purpose, given the settings and V.
        build: returns a model with initial weights, and the engine that trains it.
        compiling: shown on a terminal while the engine compiles; empty if it does not.
    """

    name: str
    why_not: Callable[[Config], str | None]
    windows_per_step: Callable[[Config], int]
    threads: Callable[[int], int]
    memory: Callable[[Config, int], dict[str, float]]
    build: Callable[[Task], tuple[Model, Engine]]
    compiling: str = ""
