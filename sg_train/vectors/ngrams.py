"""Character n-grams of words, as fastText counts and hashes them.

A word's input vector is the mean of a row of its own and of one row per n-gram
(Bojanowski et al. 2017). N-grams share the rows of a limited number of buckets.

    V  words    B  buckets    D  dimension

The rows of the input matrix are those of the V words, then those of the B buckets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

_OFFSET = np.uint32(2166136261)  # FNV-1a, 32 bits
_PRIME = np.uint32(16777619)
_WORDS_AT_ONCE = 1 << 16
_ROWS_AT_ONCE = 1 << 13


@dataclass(frozen=True)
class Ngrams:
    """Which n-grams words have, and how many buckets these share.

    Attributes:
        shortest: in code points, with the borders `<` and `>` of a word.
        longest: likewise.
        buckets: B.

    >>> Ngrams(3, 4, 100).of("cat")
    ['<ca', '<cat', 'cat', 'cat>', 'at>']
    """

    shortest: int
    longest: int
    buckets: int

    def of(self, word: str) -> list[str]:
        """Return a word's n-grams in fastText's order; a border by itself is none."""
        bordered = f"<{word}>"
        return [
            bordered[start : start + size]
            for start in range(len(bordered))
            for size in range(self.shortest, self.longest + 1)
            if start + size <= len(bordered)
            and not (size == 1 and start in (0, len(bordered) - 1))
        ]

    def buckets_of(self, words: Sequence[str]) -> tuple[NDArray[np.int64], ...]:
        """Return the buckets of the n-grams of n words.

        Returns:
            (n + 1,) int64, where the buckets of each word start, then their number;
            and the buckets, int64.
        """
        counts, buckets = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for first in range(0, len(words), _WORDS_AT_ONCE):
            some = self._buckets_of_some(words[first : first + _WORDS_AT_ONCE])
            counts.append(some[0])
            buckets.append(some[1])
        ends = np.cumsum(np.concatenate(counts))
        return np.concatenate(([0], ends)), np.concatenate(buckets)

    def _buckets_of_some(self, words: Sequence[str]) -> tuple[NDArray[np.int64], ...]:
        """Return how many n-grams each word has, and their buckets.

        The hash of an n-gram continues that of the n-gram one shorter that starts at
        the same place; all places of all words are hashed at once.
        """
        text = "".join(f"<{word}>" for word in words)
        content = np.frombuffer(text.encode(), dtype=np.uint8)
        starts = np.flatnonzero((content & 0xC0) != 0x80)  # of the code points
        widths = np.diff(np.append(starts, len(content)))
        lengths = np.fromiter((len(word) + 2 for word in words), np.int64, len(words))
        ends = np.repeat(np.cumsum(lengths), lengths)  # in code points
        owners = np.repeat(np.arange(len(words)), lengths)
        places = np.arange(len(starts))
        is_border = (places == ends - 1) | (
            places == ends - np.repeat(lengths, lengths)
        )
        # fastText hashes signed bytes, and its models depend on it.
        signed = content.view(np.int8).astype(np.int32).view(np.uint32)
        hashes = np.full(len(starts), _OFFSET)
        found = []
        for size in range(1, self.longest + 1):
            last = places + size - 1
            live = np.flatnonzero(last < ends)
            last = last[live]
            for byte in range(int(widths[last].max(initial=0))):
                there = byte < widths[last]
                some = live[there]
                value = hashes[some] ^ signed[starts[last[there]] + byte]
                hashes[some] = value * _PRIME
            if size < self.shortest:
                continue
            if size == 1:
                live = live[~is_border[live]]
            found.append(
                (
                    live,
                    np.full(len(live), size),
                    hashes[live].astype(np.int64) % self.buckets,
                )
            )
        place, sizes, buckets = (
            np.concatenate(part) for part in zip(*found, strict=True)
        )
        order = np.lexsort((sizes, place))
        return np.bincount(owners[place], minlength=len(words)), buckets[order]


@dataclass(frozen=True, eq=False)
class WordRows:
    """The rows of the input matrix that each word's vector is the mean of.

    Attributes:
        ngrams: which n-grams words have.
        starts: (V + 1,) int64, where the rows of each word start, then their number.
        rows: int32; a word's own row is the first of its rows.
        buckets: (B,) int32, the bucket of each row behind those of the words; None if
            they lie in order.
    """

    ngrams: Ngrams
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    buckets: NDArray[np.int32] | None = None

    @classmethod
    def of_words(
        cls,
        words: Sequence[str],
        ngrams: Ngrams,
        whole: NDArray[np.bool_] | None = None,
        *,
        by_use: bool = True,
    ) -> "WordRows":
        """List the rows of each word's own vector and of its n-grams.

        With `by_use`, the rows of buckets lie in the order in which the words, the most
        frequent first, use them. So rows that are used often lie close together, and
        training reads fewer pages of memory.

        Args:
            words: V of them.
            ngrams: which n-grams they have.
            whole: (V,) bool, words that have only their own row.
            by_use: whether rows of buckets lie in order of use, not of their numbers.
        """
        starts, buckets = ngrams.buckets_of(words)
        counts = np.diff(starts)
        if whole is not None:
            buckets = buckets[~np.repeat(whole, counts)]
            counts = np.where(whole, 0, counts)
        order = None
        if by_use:
            order = _in_order_of_use(buckets, ngrams.buckets)
            places = np.empty(len(order), dtype=np.int64)
            places[order] = np.arange(len(order))
            buckets = places[buckets]
        starts = np.concatenate(([0], np.cumsum(counts + 1)))
        rows = np.empty(starts[-1], dtype=np.int32)
        is_own = np.zeros(len(rows), dtype=np.bool_)
        is_own[starts[:-1]] = True
        rows[is_own] = np.arange(len(words))
        rows[~is_own] = len(words) + buckets
        return cls(ngrams, starts, rows, order)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(V,) int64, how many rows each word has."""
        return np.diff(self.starts)

    def add_up(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of what the words of each row have, (V + B,), given (V,)."""
        of_rows = np.zeros(len(shares) + self.ngrams.buckets)
        np.add.at(of_rows, self.rows, np.repeat(shares, self.counts))
        return of_rows

    def first(self, words: int) -> "WordRows":
        """Return the rows of the first words only."""
        return WordRows(self.ngrams, self.starts[: words + 1], self.rows, self.buckets)

    def by_bucket(self, u: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the vectors of the buckets, (B, D), given the input matrix."""
        behind = u[len(u) - self.ngrams.buckets :]
        if self.buckets is None:
            return behind
        vectors = np.empty_like(behind)
        vectors[self.buckets] = behind
        return vectors

    def by_row(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the rows of buckets as in the input matrix, given their vectors."""
        return vectors if self.buckets is None else vectors[self.buckets]

    def compose(self, u: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the words' vectors, (V, D), given the input matrix, (V + B, D)."""
        vectors = np.empty((len(self.starts) - 1, u.shape[1]), dtype=np.float32)
        for first in range(0, len(vectors), _ROWS_AT_ONCE):
            some = self.starts[first : first + _ROWS_AT_ONCE + 1]
            rows = u[self.rows[some[0] : some[-1]]]
            sums = np.add.reduceat(rows, some[:-1] - some[0], axis=0)
            vectors[first : first + _ROWS_AT_ONCE] = sums / np.diff(some)[:, None]
        return vectors

    def own_rows(
        self,
        words: NDArray[np.int64],
        vectors: NDArray[np.float32],
        buckets: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the own rows with which words have given vectors, (n, D).

        Args:
            words: (n,) word ids.
            vectors: (n, D) what the mean of each word's rows shall be.
            buckets: (B, D) the rows of the buckets, as in the input matrix.
        """
        own = np.empty(vectors.shape, dtype=np.float32)
        for first in range(0, len(words), _ROWS_AT_ONCE):
            some = slice(first, first + _ROWS_AT_ONCE)
            counts, sums = self._ngram_sums(words[some], buckets)
            own[some] = (1 + counts[:, None]) * vectors[some].astype(np.float64) - sums
        return own

    def ngram_means(
        self, words: NDArray[np.int64], buckets: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the mean of the rows of each word's n-grams, 0 without any, (n, D)."""
        means = np.empty((len(words), buckets.shape[1]), dtype=np.float32)
        for first in range(0, len(words), _ROWS_AT_ONCE):
            some = slice(first, first + _ROWS_AT_ONCE)
            counts, sums = self._ngram_sums(words[some], buckets)
            means[some] = sums / np.maximum(1, counts)[:, None]
        return means

    def _ngram_sums(
        self, words: NDArray[np.int64], buckets: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return how many n-grams each word has, and the sum of their rows."""
        counts = self.counts[words] - 1
        ends = np.cumsum(counts)
        inside = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        places = np.repeat(self.starts[words] + 1, counts) + inside
        rows = buckets[self.rows[places] - (len(self.starts) - 1)]
        sums = np.zeros((len(words), buckets.shape[1]))
        some = np.flatnonzero(counts)
        if len(some):
            starts = (ends - counts)[some]
            sums[some] = np.add.reduceat(rows, starts, axis=0, dtype=np.float64)
        return counts, sums


def _in_order_of_use(used: NDArray[np.int64], buckets: int) -> NDArray[np.int32]:
    """Return all buckets, those used first in front, those not used at the end."""
    distinct, first = np.unique(used, return_index=True)
    unused = np.ones(buckets, dtype=np.bool_)
    unused[distinct] = False
    in_order = distinct[np.argsort(first)], np.flatnonzero(unused)
    return np.concatenate(in_order).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Subwords:
    """The vectors of n-grams, which give a vector to words that have none.

    Attributes:
        ngrams: which n-grams words have.
        matrix: (B, D) float32, the vector of each bucket.
        v: (V, D) float32, the output vectors; None if unknown.
    """

    ngrams: Ngrams
    matrix: NDArray[np.float32]
    v: NDArray[np.float32] | None = None

    def vector(self, word: str) -> NDArray[np.float32] | None:
        """Return the mean of the vectors of a word's n-grams, (D,) float32.

        It is None if the word has no n-grams, or only ones that were never trained.
        """
        _, buckets = self.ngrams.buckets_of([word])
        if not word or not len(buckets):
            return None
        mean: NDArray[np.float32] = self.matrix[buckets].mean(axis=0)
        return mean if mean.any() else None

    def of_rows(self, rows: "slice | NDArray[np.int64]") -> "Subwords":
        """Return the same n-grams, for some words of the vocabulary."""
        return replace(self, v=None if self.v is None else self.v[rows])
