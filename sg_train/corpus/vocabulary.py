"""The words that are trained, by falling count."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import CorpusError
from sg_train.files import atomic_file


@dataclass(frozen=True)
class Vocabulary:
    """Words and how often each occurs in the corpus; a word's id is its place.

    Attributes:
        words: distinct, without white space, by falling count, ties by code points.
        counts: (V,) int64, each at least 1.
    """

    words: Sequence[str]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.words)

    def save(self, path: Path) -> None:
        """Write one `word TAB count` a line, in UTF-8.

        Raises:
            OutputError: the file cannot be written.
        """
        with atomic_file(path) as file:
            for word, count in zip(self.words, self.counts.tolist(), strict=True):
                file.write(f"{word}\t{count}\n".encode())

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote.

        Raises:
            CorpusError: the file cannot be read or is not a vocabulary.
        """
        try:
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError(f"cannot read {path}: {error}") from error
        words, counts = [], []
        for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
            word, tab, count = line.partition("\t")
            is_number = count.isascii() and count.isdigit() and len(count) < 20
            if not (tab and word and is_number and 0 < int(count) < 2**63):
                raise CorpusError(f"{path}, line {number}: expected `word TAB count`")
            words.append(word)
            counts.append(int(count))
        if len(set(words)) != len(words):
            raise CorpusError(f"{path}: a word stands there twice")
        return cls(words, np.array(counts, dtype=np.int64))


def is_vocabulary(path: Path) -> bool:
    """Say whether a file looks like a vocabulary."""
    with path.open("rb") as file:
        word, tab, count = file.readline(10_000).rstrip(b"\n").partition(b"\t")
    return bool(word and tab and count.isdigit())


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
        max_vocabulary: at most so many words, the most frequent ones.

    Returns:
        Places in `words`, int64, by falling count, ties by code points.
    """
    frequent = np.flatnonzero(counts >= min_count)
    if max_vocabulary is not None and len(frequent) > max_vocabulary:
        kept = counts[frequent]
        cutoff = np.partition(kept, -max_vocabulary)[-max_vocabulary]
        frequent = frequent[kept >= cutoff]  # every tie at the border, for now
    falling = (-counts).tolist()
    ranked = sorted(frequent.tolist(), key=lambda i: (falling[i], words[i]))
    return np.array(ranked[:max_vocabulary], dtype=np.int64)
