"""Words and their vectors: similarity, neighbours and analogies."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import AnalogyMethod, VectorFormat
from sg_train.errors import VectorsError
from sg_train.vectors.cosine import analogy_scores, best_rows, unit
from sg_train.vectors.formats import load_vectors, save_vectors

_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True, repr=False)
class WordVectors:
    """Distinct words, most frequent first, and a vector for each.

    Attributes:
        words: V words.
        matrix: (V, D) float32; may be a memory-mapped file.

    >>> vectors = WordVectors(["a", "b"], np.array([[3, 4], [4, 3]], dtype=np.float32))
    >>> vectors["b"]
    array([4., 3.], dtype=float32)
    >>> "c" in vectors
    False
    >>> round(vectors.similarity("a", "b"), 2)
    0.96
    >>> [(word, round(cosine, 2)) for word, cosine in vectors.neighbors("a")]
    [('b', 0.96)]
    >>> vectors.most_frequent(1).words
    ['a']
    """

    words: Sequence[str]
    matrix: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def load(cls, path: str | Path) -> "WordVectors":
        """Read the vectors that a run has exported, or a vector file from any tool.

        The content tells the format: word2vec text or binary, fastText's .vec, GloVe
        (each also gzipped), safetensors or npy.

        Raises:
            VectorsError: the file is missing or damaged; the message gives the line.
        """
        return cls(*load_vectors(Path(path)))

    def save(self, path: str | Path, format: VectorFormat = "text") -> None:
        """Write a file that other tools can read, and verify it.

        Args:
            path: the file; for `projector` a directory.
            format: `text`, `binary`, `glove`, `safetensors`, `npy` or `projector`.

        Raises:
            VectorsError: a word contains white space, a vector is not finite, or the
                format is unknown.
            OutputError: the file cannot be written.
        """
        save_vectors(self.words, self.matrix, Path(path), format)

    def __repr__(self) -> str:
        return f"WordVectors({len(self)} words, dimension {self.dimension})"

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.ids

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        """Return a word's vector, (D,) float32.

        Raises:
            VectorsError: the word has no vector.
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
            raise VectorsError(f"{word!r} is not a word; give a string")
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
            word: one word, or several, such as the items of a basket; left out of the
                answer. The query for several words is the mean of their vectors, each
                scaled to length 1. A vector of zeros has cosine 0 with every other.
            top: how many words to return.
            restrict: answer only with this many of the most frequent words.

        Returns:
            (word, cosine) pairs, nearest first, ties in the order of `words`.

        Raises:
            VectorsError: a word has no vector, or no word is given.
        """
        if isinstance(word, str) or not isinstance(word, Iterable):
            words = [word]
        else:
            words = list(word)
        if not words:
            raise VectorsError("no word to look up; give at least one")
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
            a: left out of the answer, as are b and c.
            b: likewise.
            c: likewise.
            top: how many answers to return.
            method: 3CosAdd or 3CosMul, see `cosine.analogy_scores`.
            restrict: answer only with this many of the most frequent words.

        Returns:
            (word, score) pairs, best first.

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
        """Return the nearest neighbours of each of the most frequent words.

        Args:
            count: how many words to look up.
            top: how many neighbours to return per word.

        Returns:
            (count, top) rows of the neighbours, nearest first, and their cosines; a
            small vocabulary gives fewer rows or columns.
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
        """Return the vectors of the first `count` words, or of all if it is None.

        Raises:
            VectorsError: `count` is below 1.
        """
        if count is not None and count < 1:
            raise VectorsError(
                f"the number of most frequent words must be at least 1, not {count}"
            )
        if count is None or count >= len(self):
            return self
        return WordVectors(self.words[:count], self.matrix[:count])

    def unit_blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield vectors scaled to length 1, a block of rows at a time.

        A vector of zeros stays zero. Blocks bound the memory used in addition to a
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
            raise VectorsError(
                f"the number of words to return must be at least 1, not {count}"
            )
        rows = best_rows(scores, not_these, count).tolist()
        return [(self.words[row], float(scores[row])) for row in rows]
