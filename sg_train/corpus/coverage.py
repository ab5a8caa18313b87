"""Measures how much of a text a vocabulary covers."""

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sg_train.config import CorpusConfig
from sg_train.corpus.prepare import read_words
from sg_train.corpus.reader import expand_paths
from sg_train.errors import CorpusError


@dataclass(frozen=True)
class Coverage:
    """Counts of the words of a text that are in and out of a vocabulary.

    Attributes:
        words: running words in the text.
        unknown_words: running words that are out of the vocabulary.
        distinct: distinct words in the text.
        unknown_distinct: distinct words that are out of the vocabulary.
        most_frequent: the most frequent unknown words, with their counts.
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
    """Count the words of a text that are in and out of a vocabulary.

    Args:
        vocabulary: the known words.
        corpus: which files to read and how to split them.
        directory: where to keep the encoded text meanwhile, 4 bytes per word.
        threads: how many threads split text.
        top: how many of the most frequent unknown words to return.

    Raises:
        CorpusError: the text cannot be read or has no words.
    """
    files = expand_paths(corpus.paths)
    _, counts = read_words(corpus, files, directory, threads)
    known = frozenset(vocabulary)
    words = distinct = unknown = unknown_distinct = 0
    most_frequent: list[tuple[int, str]] = []
    for some, how_often in counts.totals():
        words += int(how_often.sum())
        distinct += int(np.count_nonzero(how_often))
        missing = [
            (-count, word)
            for word, count in zip(some, how_often.tolist(), strict=True)
            if count and word not in known
        ]
        unknown -= sum(count for count, _ in missing)
        unknown_distinct += len(missing)
        most_frequent = heapq.nsmallest(top, [*most_frequent, *missing])
    if not words:
        raise CorpusError(f"{', '.join(corpus.paths)}: contains no words")
    return Coverage(
        words,
        unknown,
        distinct,
        unknown_distinct,
        [(word, -count) for count, word in most_frequent],
    )
