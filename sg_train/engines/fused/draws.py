"""The draws of a sentence: which words are kept, window widths, negatives.

They equal those of `sampling.draws`, number for number. Each kind of draw has a
separate loop, which the compiler vectorises.
"""

import numpy as np
from numpy.typing import NDArray

from sg_train.engines.fused.compiling import inline
from sg_train.engines.fused.layout import SLOTS, Sentence
from sg_train.engines.fused.tables import Draws
from sg_train.engines.simd import prefetch
from sg_train.sampling.draws import GOLDEN, MULTIPLIERS

_GOLDEN = np.uint64(GOLDEN)
_FIRST, _SECOND = (np.uint64(multiplier) for multiplier in MULTIPLIERS)
_U27, _U30, _U31, _U32 = (np.uint64(shift) for shift in (27, 30, 31, 32))
_LOW_HALF = np.uint64(0xFFFFFFFF)


@inline
def draw_sentence(
    ids: NDArray[np.int32],
    start: int,
    end: int,
    seen: int,
    draws: Draws,
    sentence: Sentence,
) -> int:
    """Make all draws of a sentence; return how many words are kept.

    Args:
        ids: the block's words.
        start: where the sentence starts in `ids`.
        end: where it ends.
        seen: words of the block kept before it.
        draws: keys and tables.
        sentence: receives the draws.
    """
    kept: int = _keep_words(ids, start, end, draws, sentence)
    _draw_reaches(kept, draws, sentence)
    _draw_bits_of_negatives(kept, draws, sentence)
    _note_repeats(kept, seen, sentence)
    return kept


@inline
def _bits(key: np.uint64, place: int) -> np.uint64:
    """Return the 64 random bits at a place of a stream; see `sampling.draws`."""
    bits = key + (np.uint64(place) + np.uint64(1)) * _GOLDEN
    bits = (bits ^ (bits >> _U30)) * _FIRST
    bits = (bits ^ (bits >> _U27)) * _SECOND
    return bits ^ (bits >> _U31)


@inline
def _keep_words(
    ids: NDArray[np.int32], start: int, end: int, draws: Draws, sentence: Sentence
) -> int:
    """Subsample a sentence; return how many words are kept."""
    for i in range(end - start):
        sentence.bits[i] = _bits(draws.keep_key, start + i)
    kept, last = 0, len(draws.keep_limits) - 1
    for i in range(end - start):
        word = ids[start + i]
        sentence.words[kept] = word
        sentence.positions[kept] = start + i
        limit = draws.keep_limits[min(word, last)]
        kept += int(sentence.bits[i] >> _U32 <= limit)
    return kept


@inline
def _draw_reaches(kept: int, draws: Draws, sentence: Sentence) -> None:
    """Draw the window width of each centre of a sentence."""
    for i in range(kept):
        high = _bits(draws.window_key, sentence.positions[i]) >> _U32
        drawn = np.int32((high * np.uint64(draws.window)) >> _U32)
        sentence.reach[i] = drawn + 1 if draws.dynamic else draws.window


@inline
def _draw_bits_of_negatives(kept: int, draws: Draws, sentence: Sentence) -> None:
    """Draw the bits of a sentence's negatives: first all with k = 0, and so on."""
    count, longest = draws.negatives, len(sentence.words)
    for k in range(count):
        for i in range(kept):
            place = np.int64(sentence.positions[i]) * count + k
            sentence.bits[k * longest + i] = _bits(draws.negative_key, place)


@inline
def prefetch_negatives(i: int, draws: Draws, sentence: Sentence) -> None:
    """Prefetch the cells of the table that `negative` reads for kept word i."""
    for k in range(draws.negatives):
        bits = sentence.bits[k * len(sentence.words) + i]
        prefetch(draws.negative_table, np.int64(_cell(bits, draws)))


@inline
def negative(i: int, k: int, draws: Draws, sentence: Sentence) -> np.int64:
    """Return negative k of the window whose centre is kept word i."""
    bits = sentence.bits[k * len(sentence.words) + i]
    cell = _cell(bits, draws)
    entry = draws.negative_table[cell]
    alias = entry >> _U32
    # All ones for the cell's own word; a branch would be unpredictable.
    own = np.int64((bits & _LOW_HALF) - (entry & _LOW_HALF)) >> 63
    return np.int64(alias) ^ (np.int64(cell ^ alias) & own)


@inline
def _cell(bits: np.uint64, draws: Draws) -> np.uint64:
    return ((bits >> _U32) * np.uint64(len(draws.negative_table))) >> _U32


@inline
def _note_repeats(kept: int, seen: int, sentence: Sentence) -> None:
    """Prepare a cheap test of whether a window holds a word twice.

    `repeats[i]` becomes the last place, counted in kept words from the start of the
    block, whose word occurs again at or before i. So a window from `low` to `high` can
    hold a word twice only if repeats[high] >= seen + low. Words that share a slot of
    the table count as repeats; a merge that finds none does no harm.
    """
    repeat = np.int64(-1)
    for i in range(kept):
        slot = sentence.words[i] & (SLOTS - 1)
        repeat = max(repeat, sentence.last_seen[slot])
        sentence.last_seen[slot] = seen + i
        sentence.repeats[i] = repeat
