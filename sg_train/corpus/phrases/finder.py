"""Finds phrases in a text: pairs of words that co-occur more often than by chance.

A pass counts pairs of neighbouring words, scores them and joins those above a
threshold. With N running words in the text:

    gensim       (pair - min_count) / (first * second) * (distinct words and pairs)
    word2phrase  (pair - min_count) / (first * second) * N
    npmi         log(pair * N / (first * second)) / -log(pair / N), from -1 to 1

The first two are equation 6 of Mikolov et al. 2013, scaled as in gensim's Phrases and
word2phrase.c; the third is from Bouma 2009. Distinct words do not include connectors.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sg_train.choices import PhraseScoring
from sg_train.config import CorpusConfig
from sg_train.corpus.ingest import read_text
from sg_train.corpus.phrases import pairs
from sg_train.corpus.phrases.joiner import Joiner, join_spool
from sg_train.corpus.phrases.pairs import PairNumbers, SpilledPairs
from sg_train.corpus.phrases.phrases import Phrase, Phrases, PhraseSettings
from sg_train.corpus.reader import expand_paths
from sg_train.corpus.spool import Spool
from sg_train.errors import CorpusError
from sg_train.system.bars import word_bar
from sg_train.system.files import atomic_file, behind_link
from sg_train.system.threads import in_order

_WORDS_AT_ONCE = 1 << 21

_Counted = tuple[NDArray[np.int64], NDArray[np.int64]]  # distinct numbers, their counts


class PhrasedText:
    """A text whose phrases have been found; those of the last pass are not joined yet.

    Attributes:
        phrases: the phrases found.
    """

    def __init__(
        self,
        phrases: Phrases,
        spool: Spool,
        joiner: Joiner,
        words: pa.Array,
        names: list[str],
    ) -> None:
        """Keep the results of `find_phrases`.

        Args:
            phrases: the phrases found.
            spool: the text.
            joiner: joins the phrases of the last pass.
            words: the V words; ids from V on are those of `names`.
            names: phrases, each as one word.
        """
        self.phrases = phrases
        self._spool = spool
        self._joiner = joiner
        self._words = words
        self._names = names

    def save(self, path: Path, threads: int) -> None:
        """Write the text, one sentence per line, with each phrase as one word.

        Raises:
            OutputError: the file cannot be written.
        """
        chunks = self._spool.read(_WORDS_AT_ONCE)
        with atomic_file(behind_link(path)) as file, word_bar("writing") as bar:
            for words, text in in_order(self._spell, chunks, threads):
                file.write(text)
                bar.update(words)

    def _spell(
        self, chunk: tuple[NDArray[np.int32], NDArray[np.int64]]
    ) -> tuple[int, bytes]:
        ids, ends, _ = self._joiner.join(*chunk)
        used, places = np.unique(ids, return_inverse=True)
        plain = used[used < len(self._words)]
        names = [self._names[i] for i in (used[len(plain) :] - len(self._words))]
        strings = pa.concat_arrays(
            [self._words.take(pa.array(plain)), pa.array(names, pa.large_string())]
        )
        words = strings.take(pa.array(places))
        lines = _join_strings(np.append(0, ends), words, " ")
        (text,) = _join_strings(np.array([0, len(lines)]), lines, "\n")
        return len(chunk[0]), text.as_buffer().to_pybytes() + b"\n"


def _join_strings(
    bounds: NDArray[np.int64], strings: pa.Array, separator: str
) -> pa.Array:
    """Join the strings between each bound and the next."""
    lists = pa.LargeListArray.from_arrays(bounds, strings)
    return pc.binary_join(lists, pa.scalar(separator, pa.large_string()))


def find_phrases(
    corpus: CorpusConfig, settings: PhraseSettings, directory: Path, threads: int
) -> PhrasedText:
    """Find the phrases of a text.

    Memory holds the words, up to `corpus.memory_limit`, the chunks that the threads
    work on, and 24 bytes per pair that occurs `min_count` times or more; everything
    else is on disk.

    Args:
        corpus: which files to read and how to split them.
        settings: decide what a phrase is.
        directory: where to keep the encoded text (4 bytes per word) and its pairs
            meanwhile.
        threads: how many threads to use; the number does not change the result.

    Raises:
        CorpusError: the text cannot be read or has no words.
    """
    spool = Spool(directory, corpus.max_sentence_length)
    counts = read_text(corpus, expand_paths(corpus.paths), spool, directory, threads)
    words, ids = counts.distinct()
    if not len(words):
        raise CorpusError(f"{', '.join(corpus.paths)}: contains no words")
    if ids is not None:
        spool = _renumbered(spool, ids)
    finder = _Finder(words, settings, directory, threads)
    found, joiner = finder.find(spool)
    passes = [found]
    for number in range(1, settings.passes):
        spool, _ = join_spool(spool, f"pass-{number}", [joiner], threads)
        found, joiner = finder.find(spool)
        passes.append(found)
    phrases = Phrases(tuple(passes), settings)
    return PhrasedText(phrases, spool, joiner, words, finder.names)


class _Finder:
    """Finds the phrases of a text, pass by pass."""

    def __init__(
        self, words: pa.Array, settings: PhraseSettings, directory: Path, threads: int
    ) -> None:
        self.names: list[str] = []  # of phrases, whose ids follow those of the words
        self._words = words
        self._settings = settings
        self._directory = directory
        self._threads = threads
        self._connectors = np.zeros(len(words), dtype=np.int32)
        for number, word in enumerate(settings.connectors, start=1):
            is_word = pc.equal(words, word).to_numpy(zero_copy_only=False)
            self._connectors[is_word] = number
        # Words that may have the same spelling as a joined phrase.
        like = pc.match_substring(words, settings.delimiter)
        places = np.flatnonzero(like.to_numpy(zero_copy_only=False))
        self._ids = {words[i].as_py(): i for i in places.tolist()}

    def find(self, spool: Spool) -> tuple[tuple[Phrase, ...], Joiner]:
        """Find and name the phrases of a pass."""
        connectors = np.zeros(len(self._words) + len(self.names), dtype=np.int32)
        connectors[: len(self._connectors)] = self._connectors
        numbers = PairNumbers(connectors)
        spilled = SpilledPairs(self._directory)
        counts = self._count(spool, numbers, spilled, len(connectors))
        found, how_often, scores = self._score(numbers, spilled, counts, connectors)
        spilled.remove()
        phrases = [
            Phrase(self._spell(numbers, pair), score, count)
            for pair, score, count in zip(
                found.tolist(), scores.tolist(), how_often.tolist(), strict=True
            )
        ]
        becomes = np.array([self._id(phrase.words) for phrase in phrases], np.int32)
        joiner = Joiner(numbers, found, becomes, len(connectors))
        ranked = sorted(phrases, key=lambda phrase: (-phrase.score, phrase.words))
        return tuple(ranked), joiner

    def _count(
        self, spool: Spool, numbers: PairNumbers, spilled: SpilledPairs, size: int
    ) -> NDArray[np.int64]:
        counts = np.zeros(size, dtype=np.int64)
        chunks = spool.read(_WORDS_AT_ONCE)
        with word_bar("counting pairs") as bar:
            for (words, how_often), together in in_order(
                partial(_count_chunk, numbers), chunks, self._threads
            ):
                counts[words] += how_often
                spilled.add(*together)
                bar.update(int(how_often.sum()))
        return counts

    def _score(
        self,
        numbers: PairNumbers,
        spilled: SpilledPairs,
        counts: NDArray[np.int64],
        connectors: NDArray[np.int32],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return the pairs above the threshold, their counts and their scores."""
        settings = self._settings
        distinct = int(np.count_nonzero(counts[connectors == 0]))
        frequent = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))]
        for found, how_often in spilled.totals():
            distinct += len(found)
            enough = how_often >= settings.min_count
            frequent.append((found[enough], how_often[enough]))
        found, how_often = map(np.concatenate, zip(*frequent, strict=True))
        first, second = numbers.ends_of(found)
        scores = score(
            how_often,
            counts[first],
            counts[second],
            scoring=settings.scoring,
            min_count=settings.min_count,
            words=int(counts.sum()),
            distinct=distinct,
        )
        above = scores > settings.threshold
        return found[above], how_often[above], scores[above]

    def _spell(self, numbers: PairNumbers, pair: int) -> tuple[str, ...]:
        first, between, second = numbers.words(pair)
        inside = (self._settings.connectors[digit - 1] for digit in between)
        return self._word(first), *inside, self._word(second)

    def _word(self, number: int) -> str:
        if number < len(self._words):
            return str(self._words[number])
        return self.names[number - len(self._words)]

    def _id(self, words: Iterable[str]) -> int:
        name = self._settings.delimiter.join(words)
        number = self._ids.setdefault(name, len(self._words) + len(self.names))
        if number == len(self._words) + len(self.names):
            self.names.append(name)
        return number


def score(
    pair: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    *,
    scoring: PhraseScoring,
    min_count: int,
    words: int,
    distinct: int,
) -> NDArray[np.float64]:
    """Score pairs; see the top of this file.

    Args:
        pair: (n,) how often each pair occurs.
        first: (n,) how often its first word occurs.
        second: (n,) how often its second word occurs.
        scoring: the formula.
        min_count: subtracted from each pair's count, except for NPMI.
        words: number of running words in the text.
        distinct: number of distinct words and pairs, without connectors.

    Returns:
        (n,) float64.

    >>> counts = (np.array([n]) for n in (10, 20, 50))
    >>> how = {"scoring": "gensim", "min_count": 5, "words": 1000, "distinct": 100}
    >>> score(*counts, **how)
    array([0.5])
    """
    if scoring == "npmi":
        shares = pair / words, first / words, second / words
        return np.asarray(
            np.log(shares[0] / (shares[1] * shares[2])) / -np.log(shares[0])
        )
    scale = distinct if scoring == "gensim" else words
    return np.asarray((pair - min_count) / first / second * scale)


def _count_chunk(
    numbers: PairNumbers, chunk: tuple[NDArray[np.int32], NDArray[np.int64]]
) -> tuple[_Counted, _Counted]:
    """Count the words and the pairs of some sentences."""
    ids, ends = chunk
    _, pair = numbers.of(ids, ends)
    return pairs.count(ids.astype(np.int64)), pairs.count(pair)


def _renumbered(spool: Spool, ids: NDArray[np.int32]) -> Spool:
    renumbered = spool.next("renumbered")
    with renumbered:
        for provisional, ends in spool.read():
            lengths = np.diff(ends, prepend=0).astype(np.int32)
            renumbered.append(ids[provisional], lengths)
    spool.remove()
    return renumbered
