"""Words and their vectors."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import VectorsError

_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class WordVectors:
    """Distinct words, most frequent first, and a vector for each.

    Attributes:
        words: V words.
        matrix: (V, D) float32; may lie in a file that is mapped into memory.
    """

    words: Sequence[str]
    matrix: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Each word's row in `matrix`."""
        return {word: row for row, word in enumerate(self.words)}

    def id(self, word: str) -> int:
        """Return a word's row in `matrix`.

        Raises:
            VectorsError: the word has no vector; the message names similar ones.
        """
        if word in self.ids:
            return self.ids[word]
        similar = [close for close in (word.lower(),) if close in self.ids]
        similar = similar or difflib.get_close_matches(word, self.words[:50_000], 3)
        hint = f"; similar words: {', '.join(similar)}" if similar else ""
        raise VectorsError(f"{word!r} has no vector{hint}")

    def most_frequent(self, count: int | None) -> "WordVectors":
        """Return the first `count` words, or all if it is None."""
        if count is None or count >= len(self):
            return self
        return WordVectors(self.words[:count], self.matrix[:count])

    def unit_blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield vectors scaled to length 1, a block of rows at a time.

        A vector of zeros stays one. Blocks bound the memory that is needed beside a
        mapped file.

        Yields:
            The row at which a block starts, and the block, (rows, D) float32.
        """
        for first in range(0, len(self), _ROWS_AT_ONCE):
            yield first, unit(self.matrix[first : first + _ROWS_AT_ONCE])

    def unit_rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors in `rows`, scaled to length 1."""
        return unit(self.matrix[rows])


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, D) rows scaled to length 1; rows of zeros stay so."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    inverse = np.zeros_like(lengths)
    np.divide(1, lengths, out=inverse, where=lengths > 0)
    # In float64 first: a tiny row's inverse length may be beyond float32.
    scaled: NDArray[np.float32] = (rows * inverse[:, None]).astype(np.float32)
    return scaled
