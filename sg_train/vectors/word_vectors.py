"""Words and their vectors."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import VectorsError


@dataclass(frozen=True)
class WordVectors:
    """Distinct words, most frequent first, and a vector for each.

    Attributes:
        words: V words.
        matrix: (V, D) float32.
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
