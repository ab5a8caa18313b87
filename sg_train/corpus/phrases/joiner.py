"""Joins phrases in a text, from the start of each sentence, without overlap."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sg_train.corpus.counts import WordCounts
from sg_train.corpus.phrases.pairs import PairNumbers
from sg_train.corpus.phrases.phrases import Phrase, Phrases
from sg_train.corpus.spool import Spool
from sg_train.system.bars import word_bar
from sg_train.system.threads import in_order

_WORDS_AT_ONCE = 1 << 21


class Joiner:
    """Joins pairs of words, under any numbering of the words."""

    def __init__(
        self,
        numbers: PairNumbers,
        joined: NDArray[np.int64],
        becomes: NDArray[np.int32],
        words: int,
        places: NDArray[np.int32] | None = None,
    ) -> None:
        """Set up which pairs to join.

        Args:
            numbers: numbers the pairs.
            joined: the numbers of the pairs to join, ascending.
            becomes: (len(joined),) the id that each pair becomes.
            words: how many words `numbers` knows.
            places: maps each id to its word in `numbers`, or to -1 for the last word
                there; by default, each id is its own word.
        """
        self._numbers = numbers
        self._joined = joined
        self._becomes = becomes
        self._places = places
        first, second = numbers.ends_of(joined)
        self._begins = np.zeros(words, dtype=bool)
        self._begins[first] = True
        self._ends = np.zeros(words, dtype=bool)
        self._ends[second] = True
        self.size = len(joined)

    def join(
        self, ids: NDArray[np.int32], ends: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        """Join pairs in some sentences, from the start of each, without overlap.

        Returns:
            The new ids, the positions in them at which sentences end, and the pairs
            joined, as indices into `joined`.
        """
        if not self.size:
            return ids, ends, np.zeros(0, dtype=np.int64)
        local = ids
        if self._places is not None:
            local = self._places[ids]
            local[local < 0] = len(self._begins) - 1
        places, pair = self._numbers.of(local, ends)
        likely = self._begins[local[places[:-1]]] & self._ends[local[places[1:]]]
        at = np.flatnonzero(likely & (pair >= 0))
        which = np.searchsorted(self._joined, pair[at]).clip(max=self.size - 1)
        is_joined = self._joined[which] == pair[at]
        at, which = at[is_joined], which[is_joined]
        # In a run of consecutive pairs, which share words, join every other one.
        starts = np.flatnonzero(np.diff(at, prepend=-2) > 1)
        lengths = np.diff(starts, append=len(at))
        odd = (np.arange(len(at)) - np.repeat(starts, lengths)) % 2 == 1
        at, which = at[~odd], which[~odd]
        kept = np.ones(len(ids), dtype=bool)
        first, last = places[at], places[at + 1]
        for step in range(1, int((last - first).max(initial=0)) + 1):
            kept[first[last - first >= step] + step] = False
        new = ids.copy()
        new[first] = self._becomes[which]
        return new[kept], np.cumsum(kept)[ends - 1], which


def join_phrases(
    phrases: Phrases, spool: Spool, counts: WordCounts, threads: int
) -> Spool:
    """Join phrases in a text that has been read, and update the counts.

    Args:
        phrases: the phrases to join.
        spool: the text; it is removed.
        counts: the counts of the text; they are updated.
        threads: how many threads to use.

    Returns:
        The joined text.
    """
    every = [phrase for each in phrases.passes for phrase in each]
    names = list(dict.fromkeys(map(phrases.name, every)))
    words = [word for phrase in every for word in phrase.words]
    known = {word: place for place, word in enumerate(dict.fromkeys([*words, *names]))}
    ids = counts.add(names, np.zeros(len(names), dtype=np.int64))
    places = counts.final_ids(known)
    by_name = dict(zip(names, ids.tolist(), strict=True))
    joiners = [
        _joiner(phrases, each, known, by_name, places) for each in phrases.passes
    ]
    joined, how_often_by_pass = join_spool(
        spool, "joined", [joiner for joiner, _ in joiners], threads
    )
    changes: Counter[str] = Counter()
    for (_, ordered), how_often in zip(joiners, how_often_by_pass, strict=True):
        for phrase, count in zip(ordered, how_often.tolist(), strict=True):
            changes[phrases.name(phrase)] += count
            for word in phrase.words:
                changes[word] -= count
    counts.add(changes, np.array(list(changes.values()), dtype=np.int64))
    return joined


def _joiner(
    phrases: Phrases,
    each: Sequence[Phrase],
    known: Mapping[str, int],
    ids: Mapping[str, int],
    places: NDArray[np.int32],
) -> tuple[Joiner, list[Phrase]]:
    """Return a joiner for the phrases of a pass, and these in its order."""
    connectors = np.zeros(len(known) + 1, dtype=np.int32)
    digits = {word: n for n, word in enumerate(phrases.settings.connectors, start=1)}
    for word, digit in digits.items():
        if word in known:
            connectors[known[word]] = digit
    numbers = PairNumbers(connectors)
    found = {}
    for phrase in each:
        first, *between, last = phrase.words
        inside = [digits[word] for word in between]
        number = numbers.number(known[first], inside, known[last])
        if number is not None:
            found[number] = phrase
    ordered = [found[number] for number in sorted(found)]
    becomes = np.array([ids[phrases.name(phrase)] for phrase in ordered], np.int32)
    joined = np.array(sorted(found), dtype=np.int64)
    return Joiner(numbers, joined, becomes, len(connectors), places), ordered


def join_spool(
    spool: Spool, name: str, joiners: Sequence[Joiner], threads: int
) -> tuple[Spool, list[NDArray[np.int64]]]:
    """Join phrases, pass by pass, from one spool, which is removed, into a new one.

    Returns:
        The new spool, and for each pass how often each of its pairs was joined.
    """

    def join(
        chunk: tuple[NDArray[np.int32], NDArray[np.int64]],
    ) -> tuple[int, NDArray[np.int32], NDArray[np.int64], list[NDArray[np.int64]]]:
        ids, ends = chunk
        done = []
        for joiner in joiners:
            ids, ends, which = joiner.join(ids, ends)
            done.append(np.bincount(which, minlength=joiner.size))
        return len(chunk[0]), ids, ends, done

    joined = spool.next(name)
    counts = [np.zeros(joiner.size, dtype=np.int64) for joiner in joiners]
    with joined, word_bar("joining") as bar:
        for read, ids, ends, done in in_order(
            join, spool.read(_WORDS_AT_ONCE), threads
        ):
            joined.append(ids, np.diff(ends, prepend=0).astype(np.int32))
            counts = [count + more for count, more in zip(counts, done, strict=True)]
            bar.update(read)
    spool.remove()
    return joined, counts
