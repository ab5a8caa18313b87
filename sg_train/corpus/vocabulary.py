"""The vocabulary: the words that get vectors, most frequent first."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import CorpusError
from sg_train.system.files import atomic_file, read_regular

_HIGHEST_SUM = 2**62  # so that the counts of a text can be added in int64


@dataclass(frozen=True)
class Vocabulary:
    """Words and how often each occurs in the corpus; a word's id is its index.

    Attributes:
        words: distinct, without white space, most frequent first, ties by code points.
        counts: (V,) int64, each at least 1.
    """

    words: Sequence[str]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)

    def save(self, path: Path) -> None:
        """Write one `word TAB count` per line, in UTF-8.

        Raises:
            OutputError: the file cannot be written.
        """
        with atomic_file(path) as file:
            for word, count in zip(self.words, self.counts.tolist(), strict=True):
                file.write(f"{word}\t{count}\n".encode())

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read a vocabulary that `save` wrote.

        Raises:
            CorpusError: the file cannot be read or is not a vocabulary.
        """
        try:
            text = read_regular(path).decode()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CorpusError(f"cannot read {path}: {reason}") from error
        words, counts = [], []
        for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
            word, tab, count = line.partition("\t")
            is_number = count.isascii() and count.isdigit() and len(count) < 20
            if not (tab and word and is_number and 0 < int(count) < 2**63):
                raise CorpusError(f"{path}, line {number}: expected `word TAB count`")
            words.append(word)
            counts.append(int(count))
        if len(set(words)) != len(words):
            raise CorpusError(f"{path}: a word occurs twice")
        if sum(counts) > _HIGHEST_SUM:
            raise CorpusError(
                f"{path}: its counts add up to more than {_HIGHEST_SUM}; divide them "
                "all by the same number"
            )
        return cls(words, np.array(counts, dtype=np.int64))


def is_vocabulary(path: Path) -> bool:
    """Return whether a file looks like a vocabulary."""
    with path.open("rb") as file:
        lines = [file.readline(10_000).rstrip(b"\n") for _ in range(2)]
    fields = [line.split(b"\t") for line in lines if line]
    return bool(fields) and all(
        len(parts) == 2 and parts[0] and parts[1].isdigit() for parts in fields
    )


def rank_words(
    words: Sequence[str],
    counts: NDArray[np.int64],
    min_count: int = 1,
    max_vocabulary: int | None = None,
) -> NDArray[np.int64]:
    """Choose and order the words of a vocabulary.

    Args:
        words: distinct words, in any order.
        counts: (len(words),) how often each occurs.
        min_count: words that occur less often are left out.
        max_vocabulary: keep at most this many of the most frequent words.

    Returns:
        Indices into `words`, int64, most frequent first, ties by code points.

    >>> rank_words(["b", "a", "c"], np.array([2, 2, 5]), max_vocabulary=2)
    array([2, 1])
    """
    frequent = np.flatnonzero(counts >= min_count)
    if max_vocabulary is not None and len(frequent) > max_vocabulary:
        kept = counts[frequent]
        cutoff = np.partition(kept, -max_vocabulary)[-max_vocabulary]
        frequent = frequent[kept >= cutoff]  # includes all ties at the cutoff for now
    falling = (-counts).tolist()
    ranked = sorted(frequent.tolist(), key=lambda i: (falling[i], words[i]))
    return np.array(ranked[:max_vocabulary], dtype=np.int64)


class Totals(NamedTuple):
    """The word counts of a text.

    Attributes:
        word_count: running words.
        distinct: distinct words.
        most_frequent: the most frequent word.
        highest_count: how often it occurs.
    """

    word_count: int
    distinct: int
    most_frequent: str
    highest_count: int


def choose_vocabulary(
    totals: Iterable[tuple[Sequence[str], NDArray[np.int64]]],
    min_count: int,
    max_vocabulary: int | None,
    allows: Callable[[str], bool] | None = None,
) -> tuple[Vocabulary, Totals]:
    """Choose the words that get vectors, holding little more than these in memory.

    Args:
        totals: batches of distinct words and their counts.
        min_count: words that occur less often are left out.
        max_vocabulary: keep at most this many of the most frequent words.
        allows: returns whether a word may be chosen; by default all may.

    >>> totals = [(["a", "b"], np.array([5, 1]))]
    >>> choose_vocabulary(totals, 2, None)[0].words
    ['a']
    """
    words: list[str] = []
    counts = np.zeros(0, dtype=np.int64)
    word_count = distinct = 0
    top = (0, "")
    for some, how_often in totals:
        if not len(how_often):
            continue
        word_count += int(how_often.sum())
        distinct += int(np.count_nonzero(how_often))
        highest = int(how_often.max())
        if highest >= top[0]:
            equal = np.flatnonzero(how_often == highest).tolist()
            top = max(top, (highest, max(some[i] for i in equal)))
        chosen = np.flatnonzero(how_often >= min_count).tolist()
        if allows is not None:
            chosen = [i for i in chosen if allows(some[i])]
        words += [some[i] for i in chosen]
        counts = np.concatenate((counts, how_often[chosen]))
        if max_vocabulary is not None and len(words) > 4 * max_vocabulary:
            best = rank_words(words, counts, max_vocabulary=max_vocabulary)
            words, counts = [words[i] for i in best.tolist()], counts[best]
    ranked = rank_words(words, counts, min_count, max_vocabulary)
    vocabulary = Vocabulary([words[i] for i in ranked.tolist()], counts[ranked])
    return vocabulary, Totals(word_count, distinct, top[1], top[0])
