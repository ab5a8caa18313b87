"""Words and their vectors, and what can be asked of them."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import AnalogyMethod, VectorFormat
from sg_train.errors import VectorsError
from sg_train.vectors.formats import load_vectors, save_vectors
from sg_train.vectors.rows import Rows
from sg_train.vectors.scores import analogy_scores, best_rows, unit

_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True, repr=False)
class WordVectors(Rows):
    """Distinct words, most frequent first, and a vector for each.

    Attributes:
        words: V words.
        matrix: (V, D) float32; may lie in a file that is mapped into memory.

    >>> vectors = WordVectors(["a", "b"], np.array([[3, 4], [4, 3]], dtype=np.float32))
    >>> vectors["b"]
    array([4., 3.], dtype=float32)
    >>> "c" in vectors
    False
    >>> round(vectors.similarity("a", "b"), 2)
    0.96
    """

    @classmethod
    def load(cls, path: str | Path) -> "WordVectors":
        """Read the vectors that a run has exported, or a vector file of any tool.

        word2vec text and binary, fastText's .vec, GloVe (these also by gzip),
        safetensors and npy are told apart by content.

        Raises:
            VectorsError: there is none, or it is damaged; the message has the line.
        """
        rows = load_vectors(Path(path))
        return cls(rows.words, rows.matrix)

    def save(self, path: str | Path, format: VectorFormat = "text") -> None:
        """Write a file that other tools read, and check what was written.

        Args:
            path: the file; for `projector` a directory.
            format: `text`, `binary`, `glove`, `safetensors`, `npy` or `projector`.

        Raises:
            VectorsError: a word holds white space, a vector is not finite, or there is
                no such format.
            OutputError: the file cannot be written.
        """
        save_vectors(self, Path(path), format)

    def __repr__(self) -> str:
        return f"WordVectors({len(self)} words, dimension {self.dimension})"

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.ids

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        """Return a word's vector, (D,) float32.

        Raises:
            VectorsError: the word has none.
        """
        vector: NDArray[np.float32] = self.matrix[self.id(word)]
        return vector

    @property
    def dimension(self) -> int:
        """D, the length of a vector."""
        return int(self.matrix.shape[1])

    @cached_property
    def ids(self) -> dict[str, int]:
        """Each word's row in `matrix`."""
        return {word: row for row, word in enumerate(self.words)}

    def id(self, word: str) -> int:
        """Return a word's row in `matrix`.

        Raises:
            VectorsError: the word has no vector; the message names similar ones.
        """
        row = self.ids.get(word)
        if row is not None:
            return row
        if not isinstance(word, str):
            raise VectorsError(f"{word!r} is no word")
        similar = [close for close in (word.lower(),) if close in self.ids]
        similar = similar or difflib.get_close_matches(word, self.words[:50_000], 3)
        hint = f"; similar words: {', '.join(similar)}" if similar else ""
        raise VectorsError(f"{word!r} has no vector{hint}")

    def similarity(self, first: str, second: str) -> float:
        """Return the cosine of two words' vectors.

        Raises:
            VectorsError: a word has no vector.
        """
        one, other = self.unit_rows(np.array([self.id(first), self.id(second)]))
        return float(one @ other)

    def neighbors(
        self,
        word: str | Iterable[str],
        top: int = 10,
        *,
        restrict: int | None = None,
    ) -> list[tuple[str, float]]:
        """Return the words whose vectors have the highest cosine with that of `word`.

        Args:
            word: left out of the answer itself. Of several words, such as the items of
                a basket, the mean of their vectors, each scaled to length 1, is what is
                looked for. A vector of zeros has cosine 0 with every other.
            top: how many words to return.
            restrict: answer with the most frequent words alone, so many.

        Returns:
            (word, cosine) pairs, the nearest first, ties in the order of `words`.

        Raises:
            VectorsError: `word` has no vector.
        """
        if isinstance(word, str) or not isinstance(word, Iterable):
            words = [word]
        else:
            words = list(word)
        if not words:
            raise VectorsError("no word is given whose neighbours to look for")
        own = np.array([self.id(each) for each in words])
        query = unit(self.unit_rows(own).mean(axis=0, keepdims=True))
        candidates = self.most_frequent(restrict)
        scores = [(block @ query.T)[:, 0] for _, block in candidates.unit_blocks()]
        return candidates._best(np.concatenate(scores), own, top)

    def analogy(
        self,
        a: str,
        b: str,
        c: str,
        top: int = 10,
        *,
        method: AnalogyMethod = "add",
        restrict: int | None = None,
    ) -> list[tuple[str, float]]:
        """Answer a : b :: c : ? with the words that fit best.

        Args:
            a: left out of the answer itself, as are b and c.
            b: likewise.
            c: likewise.
            top: how many answers to return.
            method: 3CosAdd or 3CosMul, see `scores.analogy_scores`.
            restrict: answer with the most frequent words alone, so many.

        Returns:
            (word, score) pairs, the best first.

        Raises:
            VectorsError: a word has no vector.
        """
        own = np.array([self.id(word) for word in (a, b, c)])
        near_a, near_b, near_c = np.split(self.unit_rows(own), 3)
        candidates = self.most_frequent(restrict)
        scores = [
            analogy_scores(near_a, near_b, near_c, block, method)[0]
            for _, block in candidates.unit_blocks()
        ]
        return candidates._best(np.concatenate(scores), own, top)

    def neighbor_table(
        self, count: int, top: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the nearest words of each of the most frequent words.

        Args:
            count: how many words to look up.
            top: how many neighbours each.

        Returns:
            (count, top) rows of the neighbours, the nearest first, and their cosines;
            there are fewer columns if there are fewer words.
        """
        top = min(top, len(self) - 1)
        asked = self.unit_rows(np.arange(min(count, len(self))))
        rows = np.empty((len(asked), 0), dtype=np.int64)
        cosines = np.empty((len(asked), 0), dtype=np.float32)
        for first, block in self.unit_blocks():
            found = asked @ block.T
            own = np.arange(first, min(first + len(block), len(asked)))
            found[own, own - first] = -np.inf
            best = np.argpartition(-found, min(top, len(block) - 1), axis=1)[:, :top]
            cosines = np.hstack((cosines, np.take_along_axis(found, best, axis=1)))
            rows = np.hstack((rows, best + first))
            order = np.argsort(-cosines, axis=1, kind="stable")[:, :top]
            cosines = np.take_along_axis(cosines, order, axis=1)
            rows = np.take_along_axis(rows, order, axis=1)
        return rows, cosines

    def most_frequent(self, count: int | None) -> "WordVectors":
        """Return the first `count` words, or all if it is None.

        Raises:
            VectorsError: that is none.
        """
        if count is not None and count < 1:
            raise VectorsError(f"the most frequent {count} words are none")
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

    def _best(
        self, scores: NDArray[np.float32], not_these: NDArray[np.int64], count: int
    ) -> list[tuple[str, float]]:
        if count < 1:
            raise VectorsError(f"the {count} best words are none")
        rows = best_rows(scores, not_these, count).tolist()
        return [(self.words[row], float(scores[row])) for row in rows]
