"""Which words moved between two spaces, and which moves are more than noise.

The spaces are rotated onto the first one. Two measures of a word, its cosine between
the two sides and how its neighbours changed, are then compared with those of words of
similar frequency, most of which have not changed: rare words always differ, because
their vectors are less certain. Where there are several runs on the same text, half of
their similarity is subtracted first: all of it would be too much, because it is itself
uncertain (docs/notebook.md has the measurements).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from sg_train.system.threads import on_all_cpus
from sg_train.vectors.alignment import Alignment, align, centred, shared_words
from sg_train.vectors.cosine import unit
from sg_train.vectors.word_vectors import WordVectors

LEAST = 50  # occurrences
_NEIGHBORS = 25  # of each side, whose cosines are compared
_CANDIDATES = 10_000  # most frequent shared words, which may be neighbours
_QUERIES_AT_ONCE = 256
_PEERS = 200  # words of similar frequency, at least
_QUANTILES = (0.15865, 0.5, 0.84135)  # of a normal one, a standard deviation apart
_MOST_COSINE = 1 - 1e-7
_SHARE_OF_NOISE = 0.5

Sides = tuple[Sequence[WordVectors], Sequence[WordVectors]]


@dataclass(frozen=True, eq=False)
class Shift:
    """How far n words that two sides share have moved.

    Attributes:
        words: n words, those that moved most beyond noise first, rare ones last.
        before: (n,) int64, their counts on the first side; None if they are unknown.
        after: the same on the second side.
        cosine: (n,) float64, of their vectors on the two sides, after alignment; the
            mean over pairs of runs.
        spread: (n,) float64, its standard deviation over pairs of runs; None if each
            side is a single run.
        within: (n,) float64, the mean cosine between runs on the same text; NaN for
            words that fewer than two of these have, None without such runs.
        local: (n,) float64, the cosine of their cosines with the nearest words of both
            sides (Hamilton et al. 2016); of the mean of several runs.
        p: (n,) float64, the chance that a word of this frequency that has not changed
            moves so far, judged by `cosine` and `local` together, beyond `within`.
        q: (n,) float64, the expected share of false ones among words with a p no larger
            than this one's (Benjamini and Hochberg 1995).
        is_rare: (n,) bool, whether a side has fewer than the least number of
            occurrences; these words come last.
        residual: of the alignment; see `Alignment`; the mean over runs.
    """

    words: Sequence[str]
    before: NDArray[np.int64] | None
    after: NDArray[np.int64] | None
    cosine: NDArray[np.float64]
    spread: NDArray[np.float64] | None
    within: NDArray[np.float64] | None
    local: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    is_rare: NDArray[np.bool_]
    residual: float


def measure_shift(
    before: Sequence[WordVectors],
    after: Sequence[WordVectors],
    restrict: int | None = None,
    least: int = LEAST,
    samples: Sides | None = None,
) -> Shift:
    """Compare two sides, each a run or several runs on the same text.

    Args:
        before: vectors of the first side; of several runs, their seeds should differ.
        after: vectors of the second side.
        restrict: align only on shared words among this many of the most frequent ones;
            by default all.
        least: count on either side below which a word is rare.
        samples: for each side, runs on samples of its text, whose differences show
            what is noise; by default the runs of the sides themselves, if several.

    Raises:
        VectorsError: the spaces share too few words, or their dimensions differ.
    """
    runs = [*before, *after]
    words = shared_words(runs)
    turns = _Turns(runs[0], restrict)
    spaces = [turns.onto_first(run, words) for run in runs]
    residual = turns.mean_residual
    sides = spaces[: len(before)], spaces[len(before) :]
    cosines = np.array([_cosines(x, y) for x, y in product(*sides)])
    means = [unit(np.mean(side, axis=0)) for side in sides]
    counts = _counts(before[0], words), _counts(after[0], words)
    cosine, local = cosines.mean(axis=0), _local(*means)
    known = [each for each in counts if each is not None]
    rank = np.arange(len(words))
    if known:
        rank = np.argsort(-np.min(known, axis=0), kind="stable")
    noise = _noise(samples or (before, after), turns, words, rank)
    moved = [_fisher(cosine), _fisher(local)]
    if noise is not None:
        moved = [
            each - _SHARE_OF_NOISE * its_own
            for each, its_own in zip(moved, noise[1:], strict=True)
        ]
    both = [_surprise(measure, rank) for measure in moved]
    surprise = _surprise(-(both[0] + both[1]), rank)
    is_rare = np.zeros(len(words), dtype=np.bool_)
    if known:
        is_rare = np.min(known, axis=0) < least
    order = np.lexsort((-surprise, is_rare))
    p = np.array([0.5 * math.erfc(z / math.sqrt(2)) for z in surprise[order].tolist()])
    spread = cosines.std(axis=0, ddof=1)[order] if len(cosines) > 1 else None
    return Shift(
        words=[words[row] for row in order.tolist()],
        before=None if counts[0] is None else counts[0][order],
        after=None if counts[1] is None else counts[1][order],
        cosine=cosine[order],
        spread=spread,
        within=None if noise is None else noise[0][order],
        local=local[order],
        p=p,
        q=_false_shares(p),
        is_rare=is_rare[order],
        residual=residual,
    )


class _Turns:
    """Rotations of spaces onto the first one, each found once."""

    def __init__(self, first: WordVectors, restrict: int | None) -> None:
        self._first, self._restrict = first, restrict
        self._found: dict[int, Alignment] = {}

    def onto_first(
        self, space: WordVectors, words: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return the centred vectors of words, (n, D), as the first space has them."""
        rows = centred(space, words)
        if space is self._first:
            return rows
        if id(space) not in self._found:  # all spaces live as long as this does
            self._found[id(space)] = align(space, self._first, self._restrict)
        return rows @ self._found[id(space)].rotation.astype(np.float32)

    @property
    def mean_residual(self) -> float:
        return float(np.mean([each.residual for each in self._found.values()]))


def _noise(
    samples: Sides, turns: _Turns, words: Sequence[str], rank: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Return how alike runs on the same text are, word by word.

    Returns:
        The mean cosine of n words, NaN for those that no two runs have; then the mean
        of Fisher's values of cosine and local cosine, where such words get the median
        of the rarest others. None if no side has two runs, or no word is
        in two.
    """
    pairs = [pair for side in samples for pair in combinations(side, 2)]
    if not pairs:
        return None
    sums = np.zeros((3, len(words)))
    found = np.zeros(len(words), dtype=np.int64)
    for pair in pairs:
        rows = np.array(
            [row for row, word in enumerate(words) if all(word in x.ids for x in pair)],
            dtype=np.int64,
        )
        both = [words[row] for row in rows.tolist()]
        x, y = (turns.onto_first(space, both) for space in pair)
        cosine = _cosines(x, y)
        sums[:, rows] += (cosine, _fisher(cosine), _fisher(_local(x, y)))
        found[rows] += 1
    if not found.any():
        return None
    means = np.divide(sums, found, out=np.full_like(sums, np.nan), where=found > 0)
    known = rank[found[rank] > 0]
    for values in means[1:]:
        values[found == 0] = np.median(values[known[-_PEERS:]])
    within, of_cosine, of_local = means
    return within, of_cosine, of_local


def _cosines(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float64]:
    cosines: NDArray[np.float64] = np.einsum("ij,ij->i", x, y, dtype=np.float64)
    return cosines


def _counts(vectors: WordVectors, words: Sequence[str]) -> NDArray[np.int64] | None:
    if vectors.counts is None:
        return None
    return vectors.counts[[vectors.ids[word] for word in words]]


def _surprise(
    values: NDArray[np.float64], rank: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how many standard deviations a value is below those of its peers.

    Median and quantiles of the peers are not moved by the few words that have changed.

    Args:
        values: (n,) of words.
        rank: (n,) the words, most frequent first.
    """
    size = len(values)
    peers = min(size, max(_PEERS, size // 50))
    ranked, surprise = values[rank], np.empty(size)
    step = max(1, peers // 2)
    for start in range(0, size, step):
        stop = min(size, start + step)
        low = max(0, min((start + stop - peers) // 2, size - peers))
        lower, middle, upper = np.quantile(ranked[low : low + peers], _QUANTILES)
        # The narrower side is the one without the changed words.
        sigma = max(1e-12, min(upper - middle, middle - lower))
        surprise[rank[start:stop]] = (middle - ranked[start:stop]) / sigma
    return surprise


def _fisher(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values whose spread depends little on the cosine (Fisher 1921)."""
    return np.arctanh(np.clip(cosines, -_MOST_COSINE, _MOST_COSINE))


def _false_shares(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the false discovery rate at each p-value."""
    order = np.argsort(p, kind="stable")
    shares = p[order] * len(p) / np.arange(1, len(p) + 1)
    rates = np.empty(len(p))
    rates[order] = np.minimum.accumulate(shares[::-1])[::-1].clip(max=1)
    return rates


def _local(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of each word's cosines with the nearest words of both sides."""
    count = min(len(one), _CANDIDATES)
    top = min(_NEIGHBORS, count - 1)
    if top < 1:
        return np.ones(len(one))
    candidates = one[:count], other[:count]

    def answer(rows: slice) -> NDArray[np.float64]:
        scores = [x[rows] @ y.T for x, y in zip((one, other), candidates, strict=True)]
        own = np.arange(len(one))[rows]
        is_candidate = np.flatnonzero(own < count)
        for each in scores:
            each[is_candidate, own[is_candidate]] = -np.inf
        found = [np.argpartition(each, -top, axis=1)[:, -top:] for each in scores]
        near = np.concatenate(found, axis=1)
        x, y = (np.take_along_axis(each, near, axis=1) for each in scores)
        # A word near on both sides would count twice.
        twice = _repeated(near)
        x[twice] = y[twice] = 0
        x, y = x.astype(np.float64), y.astype(np.float64)
        lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
        cosines: NDArray[np.float64] = np.einsum("ij,ij->i", x, y)
        cosines /= np.maximum(lengths, 1e-12)
        return cosines

    starts = range(0, len(one), _QUERIES_AT_ONCE)
    parts = (slice(start, start + _QUERIES_AT_ONCE) for start in starts)
    return np.concatenate([*on_all_cpus(answer, parts)])


def _repeated(near: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which entries of each row repeat an earlier one."""
    order = np.argsort(near, axis=1, kind="stable")
    ordered = np.take_along_axis(near, order, axis=1)
    same = np.zeros(near.shape, dtype=np.bool_)
    same[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    twice = np.zeros_like(same)
    np.put_along_axis(twice, order, same, axis=1)
    return twice
