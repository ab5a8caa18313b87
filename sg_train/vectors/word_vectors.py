"""Words and their vectors: similarity, neighbours and analogies."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rapidfuzz import process
from rapidfuzz.distance import Indel

from sg_train.choices import (
    AnalogyMethod,
    Duplicates,
    NumberType,
    OnBadRows,
    VectorFormat,
)
from sg_train.errors import UnknownWordError, VectorsError
from sg_train.system.files import behind_link
from sg_train.system.optional import require
from sg_train.system.threads import on_all_cpus
from sg_train.vectors.cosine import analogy_scores, best_rows, unit
from sg_train.vectors.formats import Content, format_of, load_vectors, save_vectors
from sg_train.vectors.nearest import nearest_rows
from sg_train.vectors.ngrams import Subwords
from sg_train.vectors.spelling import Spellings, plain_spellings

if TYPE_CHECKING:
    import torch

_LOG = logging.getLogger(__name__)

_ROWS_AT_ONCE = 1 << 13
_QUERIES_AT_ONCE = 1 << 10
_KEPT_BYTES = 1 << 29  # of vectors scaled to length 1, for many questions
_HINTS_FROM = 50_000  # of the most frequent words
_HINTS = 3
_LONGEST_HINTED = 200  # characters
_LEAST_SIMILARITY = 0.6


class Neighbors(NamedTuple):
    """The nearest neighbours of n words.

    Attributes:
        words: the n words.
        rows: (n, top) int64, their neighbours' places among the words with vectors,
            nearest first; -1 where there are fewer neighbours.
        cosines: (n, top) float32; -inf where there are fewer.
    """

    words: Sequence[str]
    rows: NDArray[np.int64]
    cosines: NDArray[np.float32]


@dataclass(frozen=True, repr=False, eq=False)
class WordVectors:
    """Distinct words, most frequent first, and a vector for each.

    A word that is unknown as typed is looked up in other spellings, such as with
    composed accents, or as the tokenizer of a run spells it. If the vectors of n-grams
    are known too, every other word that shares some with the text has a vector as well,
    the mean of those of its n-grams; `in` then tells whether a word was seen in
    training.

    Args:
        words: V words.
        matrix: (V, D) of any number type; converted to float32.
        spellings: returns other spellings of an unknown word.
        subwords: gives vectors to words that are not among the V, by their n-grams.
        counts: (V,) how often each word occurs, if that is known.

    Attributes:
        words: V words.
        matrix: (V, D) float32; may be a memory-mapped file.
        counts: (V,) int64, or None.

    Raises:
        VectorsError: there are no vectors, words and rows or counts differ in number, a
            word is not a string or occurs twice, or a number does not fit into float32.

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
    spellings: Spellings = field(default=plain_spellings, repr=False)
    subwords: Subwords | None = field(default=None, repr=False)
    counts: NDArray[np.int64] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        words = self.words
        if not isinstance(words, list | tuple):
            words = [words] if isinstance(words, str) else list(words)
        matrix = _as_matrix(self.matrix)
        if len(words) != len(matrix):
            raise VectorsError(f"{len(words)} words for {len(matrix)} vectors")
        _check_strings(words)
        if self.counts is not None:
            object.__setattr__(self, "counts", _as_counts(self.counts, len(words)))
        ids = {word: row for row, word in enumerate(words)}
        if len(ids) < len(words):
            twice = next(word for row, word in enumerate(words) if ids[word] != row)
            raise VectorsError(f"duplicate word {twice!r}; give each word one vector")
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "matrix", matrix)
        self.__dict__["ids"] = ids

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def load(cls, path: str | Path, errors: OnBadRows = "strict") -> "WordVectors":
        """Read the vectors that a run has exported, or a vector file from any tool.

        The content tells the format: word2vec text or binary, fastText's .vec, GloVe
        (each also compressed), safetensors, npy, a table (Parquet, CSV, JSON lines),
        or a directory for the projector or sentence-transformers. Of vectors of the
        same word, the first is kept; a warning counts the others.

        Args:
            path: a run directory or a file.
            errors: of text and binary files, whether to refuse damaged rows (`strict`),
                to replace what is not UTF-8 in words by U+FFFD (`replace`), or to skip
                damaged rows (`skip`) with a warning that counts them.

        Raises:
            VectorsError: the file is missing or damaged; the message gives the line.
        """
        words, matrix, subwords, counts = load_vectors(Path(path), errors)
        return cls(words, matrix, subwords=subwords, counts=counts)

    def save(
        self,
        path: str | Path,
        format: VectorFormat | None = None,
        *,
        dtype: NumberType = "float32",
        precision: int | None = None,
    ) -> None:
        """Write a file that other tools can read, and verify it.

        Args:
            path: the file, which is replaced if it exists; for `projector` a directory.
            format: `text`, `binary`, `glove`, `safetensors`, `npy`, `parquet`, `csv`,
                `jsonl`, `projector` or `fasttext`, the only one that holds n-grams; by
                default from the file's ending, else `text`.
            dtype: `float32`, or `float16` or `int8` for `safetensors`, `npy` and
                `parquet`.
            precision: number of decimals, in formats that are text; by default as many
                as give exactly the same numbers.

        Raises:
            VectorsError: the format cannot hold a word, a vector is not finite, or the
                format or the file's ending is unknown.
            OutputError: the file cannot be written.
        """
        path = Path(path)
        form = format or format_of(path) or "text"
        content = Content(self.words, self.matrix, self.subwords, self.counts)
        path = behind_link(path)
        save_vectors(content, path, form, dtype=dtype, precision=precision)

    def __repr__(self) -> str:
        return f"WordVectors({len(self)} words, dimension {self.dimension})"

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return self._find(word) is not None

    def __getitem__(self, word: str | Iterable[str] | slice) -> NDArray[np.float32]:
        """Return a word's vector, (D,) float32, or those of n words, (n, D).

        A slice returns rows of `matrix`, as `[:1000]` those of the most frequent words.

        Raises:
            VectorsError: a word has no vector.
        """
        if isinstance(word, slice):
            _check_mapped(self.matrix)
            return self.matrix[word]
        if isinstance(word, str) or not isinstance(word, Iterable):
            vector: NDArray[np.float32] = self._look_up([word])[1][0]
            return vector
        return self._look_up(word)[1]

    def get(
        self, word: str, default: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32] | None:
        """Return a word's vector, (D,) float32, or `default` if it has none."""
        row = self._find(word)
        vector = self._unseen(word) if row is None else self.matrix[row]
        return default if vector is None else vector

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
        return int(self.rows_of([word])[0])

    def rows_of(self, words: Iterable[str]) -> NDArray[np.int64]:
        """Return the rows of n words, (n,).

        Raises:
            VectorsError: words have no row; the message names them all.
        """
        words = _strings(words)
        rows = [self._find(word) for word in words]
        unknown = [word for word, row in zip(words, rows, strict=True) if row is None]
        if unknown:
            raise UnknownWordError(list(dict.fromkeys(unknown)), self.similar_words)
        for word, row in zip(words, rows, strict=True):
            if row is not None and self.words[row] != word:
                _LOG.info(
                    "%r is looked up as %r, its spelling among the words with vectors",
                    word,
                    self.words[row],
                )
        return np.array(rows, dtype=np.int64)

    def _look_up(
        self, words: Iterable[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows of those of n words that have one, and the vectors of all.

        Raises:
            VectorsError: words have no vector; the message names them all.
        """
        words = _strings(words)
        composed = {
            word: vector
            for word in dict.fromkeys(words)
            if word not in self and (vector := self._unseen(word)) is not None
        }
        rows = self.rows_of(word for word in words if word not in composed)
        _check_mapped(self.matrix)
        if not composed:
            return rows, self.matrix[rows]
        _LOG.info(
            "words not seen in training, whose vectors are made from their n-grams: %s",
            ", ".join(composed),
        )
        vectors = np.empty((len(words), self.dimension), dtype=np.float32)
        is_seen = np.array([word not in composed for word in words])
        vectors[is_seen] = self.matrix[rows]
        vectors[~is_seen] = [composed[word] for word in words if word in composed]
        return rows, vectors

    def _unseen(self, word: str) -> NDArray[np.float32] | None:
        """Return a vector made from the n-grams of a word, in its first spelling."""
        if self.subwords is None or not isinstance(word, str):
            return None
        return self.subwords.vector(next(iter(self.spellings(word)), word))

    def similar_words(self, word: str) -> list[str]:
        """Return frequent words that are spelled like `word`."""
        if word.lower() in self.ids:
            return [word.lower()]
        if len(word) > _LONGEST_HINTED:
            return []
        found = process.extract(
            word,
            self.words[:_HINTS_FROM],
            scorer=Indel.normalized_similarity,
            score_cutoff=_LEAST_SIMILARITY,
            limit=_HINTS,
        )
        return [similar for similar, *_ in found]

    def _find(self, word: object) -> int | None:
        """Return the row of a word, or of another spelling of it."""
        if not isinstance(word, str):
            return None
        row = self.ids.get(word)
        if row is None:
            for other in self.spellings(word):
                row = self.ids.get(other)
                if row is not None:
                    break
        return row

    def similarity(self, first: str, second: str) -> float:
        """Return the cosine of two words' vectors.

        Raises:
            VectorsError: a word has no vector.
        """
        return float(self.similarities([(first, second)])[0])

    def similarities(self, pairs: Iterable[Sequence[str]]) -> NDArray[np.float32]:
        """Return the cosine of each of n pairs of words, (n,) float32.

        Raises:
            VectorsError: a word has no vector, or a pair is no pair.

        >>> vectors = WordVectors(["a", "b"], np.array([[3, 4], [4, 3]]))
        >>> vectors.similarities([("a", "b"), ("b", "b")]).round(2).tolist()
        [0.9599999785423279, 1.0]
        """
        asked: list[str] = []
        for pair in pairs:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise VectorsError(f"{pair!r} is not a pair of words; give two strings")
            asked += pair
        both = unit(self._look_up(asked)[1]).reshape(-1, 2, self.dimension)
        cosines: NDArray[np.float64] = np.einsum(
            "ij,ij->i", both[:, 0], both[:, 1], dtype=np.float64
        )
        return cosines.astype(np.float32)

    def neighbors(
        self,
        word: str | Iterable[str] | NDArray[np.floating],
        top: int = 10,
        *,
        restrict: int | None = None,
    ) -> list[tuple[str, float]]:
        """Return the words whose vectors have the highest cosine with that of `word`.

        Args:
            word: one word, or several, such as the items of a basket; left out of the
                answer. The query for several words is the mean of their vectors, each
                scaled to length 1. A vector of zeros has cosine 0 with every other.
                Or a vector, (D,), for which no word is left out.
            top: how many words to return.
            restrict: answer only with this many of the most frequent words.

        Returns:
            (word, cosine) pairs, nearest first, ties in the order of `words`.

        Raises:
            VectorsError: a word has no vector, no word is given, or a vector has
                another dimension.

        >>> vectors = WordVectors(["a", "b"], np.array([[3, 4], [4, 3]]))
        >>> vectors.neighbors(2 * vectors["a"] - vectors["b"], top=1)[0][0]
        'a'
        """
        own, query = self._query(word)
        candidates = self.most_frequent(restrict)
        (rows,), (cosines,) = candidates._nearest(query, own[None, :], _checked(top))
        return [
            (self.words[row], cosine)
            for row, cosine in zip(rows.tolist(), cosines.tolist(), strict=True)
            if row >= 0
        ]

    def _query(self, asked: object) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the rows of the words asked for, and a query of length 1, (1, D)."""
        if isinstance(asked, np.ndarray) and asked.dtype.kind in "fiu":
            if asked.shape != (self.dimension,):
                raise VectorsError(
                    f"an array of shape {asked.shape}, expected a vector of shape "
                    f"({self.dimension},)"
                )
            vector = asked.astype(np.float32)[None, :]
            if not np.isfinite(vector).all():
                raise VectorsError("a vector with a number that is not finite")
            return np.empty(0, dtype=np.int64), unit(vector)
        if isinstance(asked, str) or not isinstance(asked, Iterable):
            asked = [asked]
        words = list(asked)
        if not words:
            raise VectorsError("no word to look up; give at least one")
        own, vectors = self._look_up(words)
        return own, unit(unit(vectors).mean(axis=0, keepdims=True))

    def neighbor_batches(
        self,
        words: Iterable[str] | None = None,
        top: int = 10,
        *,
        restrict: int | None = None,
    ) -> Iterator[Neighbors]:
        """Return the nearest neighbours of many words, some words at a time.

        They are those of `neighbors`, found on all CPUs.

        Args:
            words: the words, in the order of the answers; by default all words, or the
                most frequent ones with `restrict`.
            top: how many neighbours to return per word.
            restrict: answer only with this many of the most frequent words.

        Raises:
            VectorsError: a word has no vector, or `top` is below 1.
        """
        candidates = self.most_frequent(restrict)
        names: Sequence[str]
        if words is None:
            names = candidates.words
            own = np.arange(len(names))
            asked = None
        else:
            names = [words] if isinstance(words, str) else list(words)
            asked = unit(self._look_up(names)[1])
            found = map(self._find, names)
            own = np.array([-1 if row is None else row for row in found], np.int64)
        # A word is no neighbour of its own, so that a small vocabulary has fewer.
        has_own = bool(((own >= 0) & (own < len(candidates))).all())
        top = min(_checked(top), max(1, len(candidates) - has_own))
        if candidates.matrix.nbytes <= _KEPT_BYTES:
            candidates = candidates._of_length_1()

        def answer(some: slice) -> Neighbors:
            queries = candidates.unit_rows(own[some]) if asked is None else asked[some]
            rows, cosines = candidates._nearest(queries, own[some, None], top)
            return Neighbors(names[some], rows, cosines)

        starts = range(0, len(names), _QUERIES_AT_ONCE)
        parts = (slice(start, start + _QUERIES_AT_ONCE) for start in starts)
        return on_all_cpus(answer, parts)

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
        own, asked = self._look_up((a, b, c))
        near_a, near_b, near_c = np.split(unit(asked), 3)
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
        count, top = min(count, len(self)), min(top, len(self) - 1)
        if not count or not top:
            shape = count, top
            return np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.float32)
        batches = list(self.neighbor_batches(self.words[:count], top))
        rows, cosines = (
            np.concatenate([batch[part] for batch in batches]) for part in (1, 2)
        )
        return rows, cosines

    def _nearest(
        self, asked: NDArray[np.float32], own: NDArray[np.int64], top: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        top = min(top, len(self))
        return nearest_rows(asked, own, self.unit_blocks(), self.unit_rows, top)

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
        return self._of_rows(slice(count))

    def _of_rows(self, rows: "slice | NDArray[np.int64]") -> "WordVectors":
        """Return some of the words, which have been checked already."""
        words = (
            self.words[rows] if isinstance(rows, slice) else _taken(self.words, rows)
        )
        few = object.__new__(WordVectors)
        few.__dict__.update(
            words=words,
            matrix=self.matrix[rows],
            spellings=self.spellings,
            subwords=self.subwords and self.subwords.of_rows(rows),
            counts=None if self.counts is None else self.counts[rows],
        )
        return few

    def subset(self, words: Iterable[str]) -> "WordVectors":
        """Return the vectors of some words, in the order that they have here.

        Raises:
            VectorsError: a word has no vector among those of `words`, or none is given.

        >>> vectors = WordVectors(["a", "b", "c"], np.eye(3))
        >>> vectors.subset(["c", "a"]).words
        ['a', 'c']
        """
        rows = np.unique(self.rows_of(words))
        if not len(rows):
            raise VectorsError("no word to keep; give at least one")
        return self._of_rows(rows)

    def merge(self, other: "WordVectors", *, duplicates: Duplicates) -> "WordVectors":
        """Return the words of both, see `merging.merge`."""
        from sg_train.vectors.merging import merge  # noqa: PLC0415 (imports this one)

        return merge(self, other, duplicates=duplicates)

    def normalized(self) -> "WordVectors":
        """Return the same words with vectors of length 1, but without n-grams.

        A vector of zeros stays zero.

        >>> WordVectors(["a"], [[3, 4]]).normalized()["a"].tolist()
        [0.6000000238418579, 0.800000011920929]
        """
        scaled = self._of_rows(slice(None))
        scaled.__dict__.update(matrix=self._of_length_1().matrix, subwords=None)
        return scaled

    def to_torch(self, *, freeze: bool = True) -> "torch.nn.Embedding":
        """Return a copy as a PyTorch embedding, whose rows are those of `ids`.

        Args:
            freeze: whether training leaves the vectors as they are.
        """
        import torch

        matrix = torch.tensor(np.asarray(self.matrix))
        embedding: torch.nn.Embedding = torch.nn.Embedding.from_pretrained(
            matrix, freeze=freeze
        )
        return embedding

    def to_keyed_vectors(self) -> Any:
        """Return a copy as gensim's KeyedVectors, with counts if they are known.

        Raises:
            MissingLibraryError: gensim is not installed.
        """
        models = require("gensim.models", "to_keyed_vectors", "gensim")
        keyed: Any = models.KeyedVectors(self.dimension, count=0)
        keyed.add_vectors(list(self.words), np.array(self.matrix))
        if self.counts is not None:
            for word, count in zip(self.words, self.counts.tolist(), strict=True):
                keyed.set_vecattr(word, "count", count)
        return keyed

    def _of_length_1(self) -> "_UnitVectors":
        """Return the same words with vectors scaled once for many questions."""
        matrix = np.empty(self.matrix.shape, dtype=np.float32)
        for first, block in self.unit_blocks():
            matrix[first : first + len(block)] = block
        scaled = object.__new__(_UnitVectors)
        scaled.__dict__.update(self.__dict__, matrix=matrix)
        return scaled

    def unit_blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield vectors scaled to length 1, a block of rows at a time.

        A vector of zeros stays zero. Blocks bound the memory used in addition to a
        mapped file.

        Yields:
            The row at which a block starts, and the block, (rows, D) float32.
        """
        for first in range(0, len(self), _ROWS_AT_ONCE):
            _check_mapped(self.matrix)
            yield first, unit(self.matrix[first : first + _ROWS_AT_ONCE])

    def unit_rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors in `rows`, scaled to length 1."""
        _check_mapped(self.matrix)
        return unit(self.matrix[rows])

    def _best(
        self, scores: NDArray[np.float32], not_these: NDArray[np.int64], count: int
    ) -> list[tuple[str, float]]:
        rows = best_rows(scores, not_these, _checked(count)).tolist()
        return [(self.words[row], float(scores[row])) for row in rows]


class _UnitVectors(WordVectors):
    """Word vectors whose rows have length 1 already."""

    def unit_blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for first in range(0, len(self), _ROWS_AT_ONCE):
            yield first, self.matrix[first : first + _ROWS_AT_ONCE]

    def unit_rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.matrix[rows]


def _checked(count: int) -> int:
    if not isinstance(count, int | np.integer):
        raise VectorsError(f"{count!r} is not a number of words; give an integer")
    if count < 1:
        raise VectorsError(
            f"the number of words to return must be at least 1, not {count}"
        )
    return count


def _taken(words: Sequence[str], rows: NDArray[np.int64]) -> list[str]:
    return [words[row] for row in rows.tolist()]


def _as_counts(counts: ArrayLike, size: int) -> NDArray[np.int64]:
    array = np.asarray(counts)
    if array.shape != (size,) or array.dtype.kind not in "iu" or (array < 0).any():
        raise VectorsError(
            f"counts of shape {array.shape} and type {array.dtype}: expected {size} "
            "whole numbers, one per word"
        )
    return array.astype(np.int64, copy=False)


def _strings(words: Iterable[object]) -> list[str]:
    """Return a list of words, and refuse what is not a string."""
    strings = []
    for word in words:
        if not isinstance(word, str):
            raise VectorsError(f"{word!r} is not a word; give a string")
        strings.append(word)
    return strings


def _check_mapped(matrix: NDArray[np.float32]) -> None:
    """Refuse a mapped file that has been cut off: reading it would kill the process."""
    if not isinstance(matrix, np.memmap) or matrix.filename is None:
        return
    file = Path(matrix.filename)
    try:
        is_whole = file.stat().st_size >= matrix.offset + matrix.nbytes
    except OSError:  # deleted, but the mapped content remains
        return
    if not is_whole:
        raise VectorsError(f"{file}: was cut off while it was in use; restore the file")


def _as_matrix(matrix: ArrayLike) -> NDArray[np.float32]:
    """Return a matrix as float32, without a copy if it is."""
    try:
        array = np.asanyarray(matrix)  # a memory map stays one
    except (ValueError, TypeError, RuntimeError) as error:
        raise VectorsError(f"expected a matrix of numbers: {error}") from error
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "fiu":
        raise VectorsError(
            f"vectors of shape {array.shape} and type {array.dtype}: expected a matrix "
            "of numbers, with a row per word"
        )
    if array.dtype == np.float32:
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(np.float32)
    if array.dtype.kind == "f" and (np.isinf(converted) & np.isfinite(array)).any():
        raise VectorsError("a number is too large for float32; scale the vectors down")
    return converted


def _check_strings(words: Sequence[str]) -> None:
    for row, word in enumerate(words):
        if not isinstance(word, str):
            raise VectorsError(
                f"the word of vector {row + 1} is {word!r}, not a string"
            )
        if not word or "\n" in word or "\r" in word:
            raise VectorsError(
                f"the word of vector {row + 1} is {word!r}: a word must not be empty "
                "or contain a line end"
            )
    try:
        "\n".join(words).encode()
    except UnicodeEncodeError as error:
        wrong = next(word for word in words if _has_surrogates(word))
        raise VectorsError(f"{wrong!r}: a word that UTF-8 cannot encode") from error


def _has_surrogates(word: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in word)
