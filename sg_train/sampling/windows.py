"""The windows of a block: which words are kept, window widths and negatives."""

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

NO_WORD = -1  # marks padding, and negatives that equal the centre


@dataclass(frozen=True)
class SamplingPlan:
    """The settings and tables that decide every draw, shared by all engines.

    Attributes:
        window: maximum number of words to each side of the centre.
        dynamic: whether each window's width is drawn from 1..window.
        negatives: K, negatives per window.
        keep_limits: (V,) uint32 from `frequency.keep_limits`.
        negative_table: (V, 2) uint32 from `frequency.alias_table`.
        seed: seed of every draw.
    """

    window: int
    dynamic: bool
    negatives: int
    keep_limits: NDArray[np.uint32]
    negative_table: NDArray[np.uint32]
    seed: int

    @classmethod
    def from_counts(
        cls,
        counts: NDArray[np.int64],
        *,
        window: int,
        dynamic: bool,
        negatives: int,
        negative_exponent: float,
        subsample: float,
        seed: int,
    ) -> "SamplingPlan":
        """Build the tables from the words' counts, (V,) int64."""
        return cls(
            window=window,
            dynamic=dynamic,
            negatives=negatives,
            keep_limits=keep_limits(keep_probability(counts, subsample)),
            negative_table=alias_table(negative_probability(counts, negative_exponent)),
            seed=seed,
        )

    def key(self, epoch: int, block: int, purpose: Purpose) -> int:
        """Return the key of a block's stream of draws."""
        return stream_key(self.seed, epoch, block, purpose)


@dataclass(frozen=True)
class Windows:
    """N windows: each a centre, the words around it and its negatives.

    Attributes:
        contexts: (N, 2 * window) int32 word ids; NO_WORD where the window is narrower.
        centres: (N,) int32.
        negatives: (N, K) int32; NO_WORD where the centre itself was drawn.
        positions: (N,) int32, the centre's position in the block before subsampling.
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

    Subsampling comes first, so a window reaches across dropped words. A centre without
    context words has no window.

    Args:
        ids: (n,) int32, the words of whole sentences.
        offsets: (sentences + 1,) int64, where in `ids` each sentence starts, and where
            the last one ends; words outside this range have no windows.
        plan: the settings and tables that decide the draws.
        epoch: counted from 0.
        block: the block's number in the corpus.
    """
    start, end = offsets[[0, -1]].tolist()
    keep_bits = draws(plan.key(epoch, block, Purpose.KEEP), np.arange(start, end))
    kept = keep_bits >> np.uint64(32) <= plan.keep_limits[ids[start:end]]
    positions = (start + np.flatnonzero(kept)).astype(np.int32)
    words = ids[positions]

    # Counted in kept words: where each word's sentence starts and ends, and its reach.
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
