"""The windows of a block: who is kept, how far each centre looks, its negatives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sg_train.sampling.draws import Purpose, draws, stream_key
from sg_train.sampling.frequency import (
    alias_table,
    draw_words,
    keep_limits,
    keep_probability,
    negative_probability,
)

NO_WORD = -1  # marks padding and negatives that equal the centre


@dataclass(frozen=True)
class SamplingPlan:
    """Everything that decides the draws; what both engines share.

    Attributes:
        window: words to each side of the centre, at most.
        dynamic: whether each window's width is drawn from 1..window.
        negatives: K, negatives a window.
        keep_limits: (V,) uint32 from `frequency.keep_limits`.
        negative_table: (V, 2) uint32 from `frequency.alias_table`.
        most_touches: how often a window takes in the row that is taken in most often,
            of u or of v, on average.
        seed: of every draw.
    """

    window: int
    dynamic: bool
    negatives: int
    keep_limits: NDArray[np.uint32]
    negative_table: NDArray[np.uint32]
    most_touches: float
    seed: int

    @classmethod
    def from_counts(
        cls,
        counts: NDArray[np.int64],
        *,
        window: int = 5,
        dynamic: bool = True,
        negatives: int = 5,
        negative_exponent: float = 0.75,
        subsample: float = 1e-4,
        seed: int = 1,
    ) -> "SamplingPlan":
        """Build the tables from the words' counts, (V,) int64."""
        kept = keep_probability(counts, subsample)
        drawn = negative_probability(counts, negative_exponent)
        shares = kept * counts / (kept @ counts)
        contexts = window + 1 if dynamic else 2 * window
        touches = np.maximum(contexts * shares, shares + negatives * drawn)
        return cls(
            window=window,
            dynamic=dynamic,
            negatives=negatives,
            keep_limits=keep_limits(kept),
            negative_table=alias_table(drawn),
            most_touches=float(touches.max()),
            seed=seed,
        )

    def key(self, epoch: int, block: int, purpose: Purpose) -> int:
        """Return the key of a block's stream of draws."""
        return stream_key(self.seed, epoch, block, purpose)


@dataclass(frozen=True)
class Windows:
    """N windows: each a centre, the words around it and its negatives.

    Attributes:
        contexts: (N, 2 * window) int32 word ids; NO_WORD where there is none.
        centres: (N,) int32.
        negatives: (N, K) int32; NO_WORD where the draw gave the centre itself.
        positions: (N,) int32, the centre's place in the block before subsampling.
    """

    contexts: NDArray[np.int32]
    centres: NDArray[np.int32]
    negatives: NDArray[np.int32]
    positions: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def pairs(self) -> int:
        """How many (context, centre) pairs the windows hold."""
        return int(np.count_nonzero(self.contexts != NO_WORD))


def draw_windows(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    plan: SamplingPlan,
    epoch: int,
    block: int,
) -> Windows:
    """Draw the windows of one block, in the order of the text.

    Subsampling comes first, so a window reaches over the words that it drops. A centre
    with no word around it has no window.

    Args:
        ids: (n,) int32, the words of whole sentences.
        offsets: (sentences + 1,) int64, where in `ids` each sentence starts, and where
            the last one ends; what lies before or after has no windows.
        plan: what decides the draws.
        epoch: counted from 0.
        block: the block's number in the corpus.
    """
    start, end = offsets[[0, -1]].tolist()
    keep_bits = draws(plan.key(epoch, block, Purpose.KEEP), np.arange(start, end))
    kept = keep_bits >> np.uint64(32) <= plan.keep_limits[ids[start:end]]
    positions = (start + np.flatnonzero(kept)).astype(np.int32)
    words = ids[positions]

    # In kept words: where the sentence of each word starts and ends, and its reach.
    bounds = np.searchsorted(positions, offsets)
    sentence = np.searchsorted(offsets, positions, side="right") - 1
    place = np.arange(len(words))
    reach = _reach(plan, plan.key(epoch, block, Purpose.WINDOW), positions)
    left = np.minimum(reach, place - bounds[sentence])
    right = np.minimum(reach, bounds[sentence + 1] - 1 - place)

    some = np.flatnonzero(left + right)
    centres = words[some]
    contexts = np.full((len(some), 2 * plan.window), NO_WORD, dtype=np.int32)
    for distance in range(1, plan.window + 1):
        for column, side, reached in (
            (plan.window - distance, -distance, left),
            (plan.window + distance - 1, distance, right),
        ):
            there = np.flatnonzero(reached[some] >= distance)
            contexts[there, column] = words[some[there] + side]

    places = positions[some, None].astype(np.int64) * plan.negatives
    places = places + np.arange(plan.negatives)
    bits = draws(plan.key(epoch, block, Purpose.NEGATIVE), places)
    negatives = draw_words(plan.negative_table, bits)
    negatives[negatives == centres[:, None]] = NO_WORD
    return Windows(contexts, centres, negatives, positions[some])


def _reach(
    plan: SamplingPlan, key: int, positions: NDArray[np.int32]
) -> NDArray[np.int64]:
    if not plan.dynamic:
        return np.full(len(positions), plan.window, dtype=np.int64)
    high = draws(key, positions) >> np.uint64(32)
    return 1 + ((high * np.uint64(plan.window)) >> np.uint64(32)).astype(np.int64)
