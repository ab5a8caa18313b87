"""Probabilities that follow from word counts: of keeping tokens, of negatives."""

import numpy as np
from numpy.typing import NDArray


def keep_probability(
    counts: NDArray[np.int64], subsample: float
) -> NDArray[np.float64]:
    """Return the probability with which each word's tokens are kept.

    min(1, sqrt(t / f) + t / f) for a word with share f of the corpus and t =
    `subsample`, as word2vec.c does it (Mikolov et al. 2013, section 2.3, gives 1 -
    sqrt(t / f) for dropping). With t = 0 every token is kept.

    Args:
        counts: (V,) int64, each at least 1.
        subsample: the share above which words are thinned out.

    Returns:
        (V,) float64.

    >>> keep_probability(np.array([90, 10]), 0.1).round(2)
    array([0.44, 1.  ])
    """
    if subsample == 0:
        return np.ones(len(counts))
    ratio = subsample * counts.sum() / counts
    probability: NDArray[np.float64] = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return probability


def keep_limits(probability: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Return for each word the largest 32-bit draw with which a token is kept.

    Args:
        probability: (V,) float64 in [0, 1]; the nearest multiple of 2 ** -32 above 0
            is used.

    Returns:
        (V,) uint32.

    >>> keep_limits(np.array([0.5, 1.0]))
    array([2147483647, 4294967295], dtype=uint32)
    """
    limits: NDArray[np.float64] = np.rint(probability * 2.0**32) - 1
    return limits.clip(0, 2**32 - 1).astype(np.uint32)


def negative_probability(
    counts: NDArray[np.int64], exponent: float
) -> NDArray[np.float64]:
    """Return (V,) float64: count ** exponent, scaled to sum to one.

    >>> negative_probability(np.array([16, 1]), 0.5)
    array([0.8, 0.2])
    """
    # Counts are divided first so that no exponent overflows.
    weights = (counts / counts.max()) ** exponent
    return np.asarray(weights / weights.sum())


def alias_table(probability: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Build a table that turns one 64-bit draw into a word in constant time.

    Walker's alias method: each word has a cell of the same size, filled with its own
    probability up to `coin` and with that of its alias above. The high half of a draw
    picks the cell, the low half tosses the coin. The usual loop that lets each heavy
    word fill light cells one after another is written here with running sums: light
    cells are filled in order, and heavy word k is spent at the first light cell where
    the room that was filled exceeds the surplus of words 0..k.

    Args:
        probability: (V,) float64, sums to one.

    Returns:
        (V, 2) uint32: coin (of 2 ** 32) and alias of each cell.

    >>> alias_table(np.array([0.75, 0.25]))[:, 1]
    array([0, 0], dtype=uint32)
    """
    size = len(probability)
    scaled = probability * size
    light = np.flatnonzero(scaled < 1)
    heavy = np.flatnonzero(scaled >= 1)
    room = np.cumsum(1 - scaled[light])
    surplus = np.cumsum(scaled[heavy] - 1)
    coin = np.ones(size)
    alias = np.arange(size)
    if len(light) and len(heavy):
        coin[light] = scaled[light]
        filled_before = np.concatenate(([0.0], room[:-1]))
        giver = np.searchsorted(surplus, filled_before, side="left")
        alias[light] = heavy[np.minimum(giver, len(heavy) - 1)]
        # The last heavy word could only be spent by rounding.
        spent_at = np.searchsorted(room, surplus[:-1], side="right")
        is_spent = spent_at < len(room)
        lack = room[spent_at[is_spent]] - surplus[:-1][is_spent]
        spent = np.flatnonzero(is_spent)
        coin[heavy[spent]] = 1 - lack
        alias[heavy[spent]] = heavy[spent + 1]
    limits = np.clip(np.rint(coin * 2.0**32), 0, 2**32 - 1)
    return np.stack((limits, alias), axis=1).astype(np.uint32)


def draw_words(
    table: NDArray[np.uint32], bits: NDArray[np.uint64]
) -> NDArray[np.int32]:
    """Turn 64-bit draws into words with an alias table.

    Args:
        table: (V, 2) uint32 from `alias_table`.
        bits: uint64, any shape.

    Returns:
        int32 word ids of the same shape.

    >>> draw_words(alias_table(np.array([1.0])), np.array([7], np.uint64))
    array([0], dtype=int32)
    """
    cell = ((bits >> np.uint64(32)) * np.uint64(len(table))) >> np.uint64(32)
    coin, alias = table[cell, 0], table[cell, 1]
    own = (bits & np.uint64(0xFFFFFFFF)) < coin
    return np.where(own, cell, alias).astype(np.int32)
