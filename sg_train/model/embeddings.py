"""The weights of the model: two matrices and how they begin.

V  size of the vocabulary    D  dimension
U  rows of the input matrix: V, or V and the buckets of n-grams
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sg_train.sampling.draws import Purpose, draws, stream_key
from sg_train.vectors.ngrams import WordRows

_AT_ONCE = 1 << 15  # numbers whose draws fit in the cache


class Model(Protocol):
    """What training needs of an engine's model, wherever its weights lie."""

    @property
    def word_rows(self) -> WordRows | None:
        """The rows of u that input vectors are composed of, if not one per word."""
        ...

    @property
    def matrices(self) -> dict[str, NDArray[np.float32]]:
        """`u`, (U, D), and `v`, (V, D), float32; on the CPU, views of the weights."""
        ...

    def set_rows(
        self,
        matrix: str,
        rows: NDArray[np.int64],
        values: NDArray[np.float32],
    ) -> None:
        """Replace some rows of a matrix.

        Args:
            matrix: `u` or `v`.
            rows: (n,) their numbers.
            values: (n, D) float32.
        """
        ...


@dataclass(frozen=True, eq=False)
class Embeddings:
    """A model as numpy arrays.

    Attributes:
        u: input matrix, (U, D) float32; its first V rows are the exported vectors or,
            with n-grams, the words' own parts of them.
        v: output vectors, (V, D) float32.
        word_rows: the rows of u that input vectors are composed of; None if each word
            has one.
    """

    u: NDArray[np.float32]
    v: NDArray[np.float32]
    word_rows: WordRows | None = None

    @classmethod
    def empty(
        cls, size: int, dimension: int, word_rows: WordRows | None = None
    ) -> "Embeddings":
        """Return embeddings of V words whose numbers are not yet set."""
        rows = size + (word_rows.ngrams.buckets if word_rows else 0)
        u, v = (np.empty((n, dimension), np.float32) for n in (rows, size))
        return cls(u, v, word_rows)

    @property
    def matrices(self) -> dict[str, NDArray[np.float32]]:
        """`u` and `v`."""
        return {"u": self.u, "v": self.v}

    def set_rows(
        self,
        matrix: str,
        rows: NDArray[np.int64],
        values: NDArray[np.float32],
    ) -> None:
        """Replace some rows of a matrix; see `Model.set_rows`."""
        self.matrices[matrix][rows] = values

    def draw(self, seed: int, *, u_range: float, v_range: float) -> None:
        """Draw the initial numbers, the same ones for every engine.

        Args:
            seed: of the run.
            u_range: u becomes uniform in [-u_range / D, u_range / D).
            v_range: likewise v.
        """
        for purpose, matrix, limit in (
            (Purpose.INITIAL_U, self.u, u_range),
            (Purpose.INITIAL_V, self.v, v_range),
        ):
            if limit == 0:
                matrix[:] = 0
                continue
            key = stream_key(seed, 0, 0, purpose)
            for rows in _parts(matrix):
                matrix[rows] = _uniform(key, rows, matrix.shape[1], limit)
        if self.word_rows is not None:
            # Rows that are never trained would only add noise to unseen words.
            unused = np.ones(len(self.u), dtype=np.bool_)
            unused[self.word_rows.rows] = False
            self.u[unused] = 0


def _parts(matrix: NDArray[np.float32]) -> Iterator[slice]:
    count = max(1, _AT_ONCE // matrix.shape[1])
    for start in range(0, len(matrix), count):
        yield slice(start, min(start + count, len(matrix)))


def _uniform(
    key: int, rows: slice, dimension: int, limit: float
) -> NDArray[np.float32]:
    """Return numbers in [-limit / D, limit / D), from the upper 24 bits of draws."""
    places = np.arange(rows.start * dimension, rows.stop * dimension)
    steps = (draws(key, places) >> np.uint64(40)).astype(np.float32)
    numbers = (steps - np.float32(1 << 23)) * np.float32(limit / dimension / (1 << 23))
    return numbers.reshape(-1, dimension)
