"""Numbers pairs of neighbouring words and counts them on disk.

A text has many times more distinct pairs than words. The pairs of a few million words
at a time are sorted and written as a run; the runs are merged by ranges of numbers, so
that memory is bounded however long the text is.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import CorpusError

_MERGED_AT_ONCE = 1 << 23
_KEY_BITS = 63


class PairNumbers:
    """Numbers pairs of successive words, which may have connector words between them.

    A number holds, from its high bits to its low ones, the first word, the connectors
    between (digits in base C + 1, each from 1 to C) and the second word.
    """

    def __init__(self, connectors: NDArray[np.int32]) -> None:
        """Set up the numbering.

        Args:
            connectors: (V,) 1 to C for each of C connector words, 0 for all others.

        Raises:
            CorpusError: there are too many words.
        """
        self._connectors = connectors
        self._base = int(connectors.max(initial=0)) + 1
        self._word_bits = max(1, (len(connectors) - 1).bit_length())
        room = _KEY_BITS - 2 * self._word_bits
        self._most_between = 0
        while self._base > 1 and self._base ** (self._most_between + 1) < 2**room:
            self._most_between += 1
        if room < 0 or (self._base > 1 and not self._most_between):
            raise CorpusError(
                f"{len(connectors)} distinct words are too many to number their pairs; "
                "give fewer connector words, or clean the text"
            )
        self._first_bits = _KEY_BITS - self._word_bits

    def of(
        self, ids: NDArray[np.int32], ends: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number the pairs of some sentences.

        Args:
            ids: (n,) words, below V.
            ends: where in `ids` each sentence ends.

        Returns:
            (m,) the places of the words that are not connectors, and (m - 1,) the
            number of the pair that each of them except the last forms with the next: -1
            if that is in another sentence or too many connectors are between them.
        """
        if self._base == 1:
            places = np.arange(len(ids))
            words = ids.astype(np.int64)
        else:
            places = np.flatnonzero(self._connectors[ids] == 0)
            words = ids[places].astype(np.int64)
        numbers = (words[:-1] << self._first_bits) | words[1:]
        if self._base == 1:
            numbers[ends[:-1] - 1] = -1
            return places, numbers
        between = np.diff(places) - 1
        digits = np.zeros(len(numbers), dtype=np.int64)
        for step in range(1, self._most_between + 1):
            at = np.flatnonzero(between >= step)
            digits[at] *= self._base
            digits[at] += self._connectors[ids[places[at] + step]]
        numbers |= digits << self._word_bits
        sentence = np.searchsorted(ends, places, side="right")
        numbers[(np.diff(sentence) > 0) | (between > self._most_between)] = -1
        return places, numbers

    def words(self, number: int) -> tuple[int, list[int], int]:
        """Return a pair's first word, connectors between (1 to C), and second word."""
        low = (1 << self._word_bits) - 1
        digits = (number >> self._word_bits) & (
            (1 << (self._first_bits - self._word_bits)) - 1
        )
        between = []
        while digits:
            digits, digit = divmod(digits, self._base)
            between.append(digit)
        return number >> self._first_bits, between[::-1], number & low

    def number(self, first: int, between: list[int], second: int) -> int | None:
        """Return a pair's number, or None if it has too many connectors."""
        if len(between) > self._most_between:
            return None
        digits = 0
        for digit in between:
            digits = digits * self._base + digit
        return first << self._first_bits | digits << self._word_bits | second

    def ends_of(
        self, numbers: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first and the second words of pairs."""
        return numbers >> self._first_bits, numbers & ((1 << self._word_bits) - 1)


class SpilledPairs:
    """Counts of pair numbers, on disk."""

    def __init__(self, directory: Path) -> None:
        """Start with no files.

        Args:
            directory: where to write files; `remove` deletes them.
        """
        self._numbers = directory / "pair-numbers"
        self._counts = directory / "pair-counts"
        self._sizes: list[int] = []

    def add(self, numbers: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Write a run of pair numbers and their counts.

        Args:
            numbers: distinct, ascending.
            counts: how often each occurs.
        """
        if not len(numbers):
            return
        mode = "ab" if self._sizes else "wb"
        with self._numbers.open(mode) as file:
            file.write(numbers.astype("<i8", copy=False).data)
        with self._counts.open(mode) as file:
            file.write(counts.astype("<i4").data)
        self._sizes.append(len(numbers))

    def totals(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield batches of distinct numbers, ascending, and their total counts."""
        if not self._sizes:
            return
        # One map for all runs, because the number of open files is limited.
        all_numbers = np.memmap(self._numbers, dtype="<i8", mode="r")
        all_counts = np.memmap(self._counts, dtype="<i4", mode="r")
        cuts = np.cumsum(self._sizes)[:-1]
        runs = list(
            zip(np.split(all_numbers, cuts), np.split(all_counts, cuts), strict=True)
        )
        step = _MERGED_AT_ONCE // max(1, len(runs))
        while runs:
            # Up to this number, no run has more than `step` items.
            limit = min(numbers[min(step, len(numbers)) - 1] for numbers, _ in runs)
            parts, rest = [], []
            for numbers, counts in runs:
                cut = int(np.searchsorted(numbers[:step], limit, side="right"))
                parts.append((numbers[:cut], counts[:cut]))
                if cut < len(numbers):
                    rest.append((numbers[cut:], counts[cut:]))
            runs = rest
            yield add_up(*map(np.concatenate, zip(*parts, strict=True)))

    def remove(self) -> None:
        """Delete all files."""
        for path in (self._numbers, self._counts):
            path.unlink(missing_ok=True)
        self._sizes = []


def add_up(
    numbers: NDArray[np.int64], counts: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct numbers, ascending, and the sum of each one's counts.

    >>> add_up(np.array([7, 2, 7]), np.array([1, 1, 3]))
    (array([2, 7]), array([1, 4]))
    """
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    return numbers[starts], np.add.reduceat(counts[order].astype(np.int64), starts)


def count(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct numbers except -1, ascending, and how often each occurs.

    >>> count(np.array([5, -1, 5]))
    (array([5]), array([2]))
    """
    distinct, counts = np.unique(numbers[numbers >= 0], return_counts=True)
    return distinct, counts
