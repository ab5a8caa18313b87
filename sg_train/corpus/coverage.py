"""How much of a text the words of a vocabulary make up."""

import heapq
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from sg_train.config import CorpusConfig
from sg_train.corpus.prepare import read_words
from sg_train.corpus.reader import expand_paths
from sg_train.corpus.word_runs import WordRuns
from sg_train.errors import CorpusError


@dataclass(frozen=True)
class Coverage:
    """The words of a text, known and unknown.

    Attributes:
        words: how many there are.
        unknown_words: how many of them are out of the vocabulary.
        distinct: how many different ones there are.
        unknown_distinct: how many of these are out of the vocabulary.
        most_frequent: of the unknown ones, with their counts.
    """

    words: int
    unknown_words: int
    distinct: int
    unknown_distinct: int
    most_frequent: list[tuple[str, int]]


def measure_coverage(
    vocabulary: Collection[str],
    corpus: CorpusConfig,
    directory: Path,
    threads: int,
    top: int = 20,
) -> Coverage:
    """Count the words of a text that a vocabulary has and has not.

    Args:
        vocabulary: the words that are known.
        corpus: which files are read and how they are split.
        directory: where the text lies meanwhile, 4 bytes a word.
        threads: how many split text at the same time.
        top: how many unknown words to name.

    Raises:
        CorpusError: the text cannot be read or has no words.
    """
    files, runs = expand_paths(corpus.paths), WordRuns(directory)
    _, counter = read_words(corpus, files, runs, directory, threads)
    pairs: Iterable[tuple[str, int]]
    if runs:
        counter.spill()
        pairs = runs.totals()
    else:
        pairs = zip(counter.words, counter.counts.tolist(), strict=True)
    known = frozenset(vocabulary)
    words = distinct = unknown = unknown_distinct = 0
    most_frequent: list[tuple[int, str]] = []
    for word, count in pairs:
        if not count:  # joined, all of them
            continue
        words, distinct = words + count, distinct + 1
        if word not in known:
            unknown, unknown_distinct = unknown + count, unknown_distinct + 1
            most_frequent.append((-count, word))
            if len(most_frequent) > 1000 * top + 1000:
                most_frequent = heapq.nsmallest(top, most_frequent)
    if not words:
        raise CorpusError(f"{', '.join(corpus.paths)}: no words in it")
    return Coverage(
        words,
        unknown,
        distinct,
        unknown_distinct,
        [(word, -count) for count, word in heapq.nsmallest(top, most_frequent)],
    )
