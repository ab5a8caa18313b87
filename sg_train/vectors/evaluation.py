"""Evaluation of word vectors on word similarity and analogies.

Scores match gensim's `evaluate_word_pairs` and `evaluate_word_analogies`: by default
case is ignored (of words that differ only in case, the most frequent one counts), and
questions with a word that has no vector are skipped and counted as missing. A word that
is unknown as it is written is looked up as the vocabulary spells it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import AnalogyMethod
from sg_train.errors import VectorsError
from sg_train.vectors.cosine import analogy_scores, unit
from sg_train.vectors.question_files import (
    AnalogyTest,
    SimilarityTest,
    read_analogies,
    read_similarity,
)
from sg_train.vectors.spelling import same_spellings
from sg_train.vectors.word_vectors import WordVectors

_LOG = logging.getLogger(__name__)

_QUESTIONS_AT_ONCE = 256
_WITH_UNSEEN = "with unseen"


@dataclass(frozen=True)
class Score:
    """The score of vectors on one test, or on one section of it.

    Attributes:
        test: the file's name without its extension.
        section: section of an analogy test; `total` for all of them; empty for
            similarity, `with unseen` for similarity of unseen words too.
        measure: `spearman` or `accuracy`.
        value: None if nothing could be scored.
        scored: number of questions scored.
        missing: number of questions skipped because a word has no vector.
    """

    test: str
    section: str
    measure: str
    value: float | None
    scored: int
    missing: int

    @property
    def is_total(self) -> bool:
        """Whether the score covers the whole test."""
        return self.section in ("", "total")


@dataclass(frozen=True)
class Evaluation:
    """The tests on which to score vectors.

    Attributes:
        similarity: word-similarity tests.
        analogies: analogy tests.
        restrict: use only this many of the most frequent words; None for all.
        match_case: treat words that differ only in case as different words.
        method: how to answer analogies.
        unseen: also score similarity with words that only have n-grams.
    """

    similarity: Sequence[SimilarityTest] = ()
    analogies: Sequence[AnalogyTest] = ()
    restrict: int | None = None
    match_case: bool = False
    method: AnalogyMethod = "add"
    unseen: bool = False
    _reported: set[str] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def from_files(
        cls,
        similarity: Sequence[Path],
        analogies: Sequence[Path],
        *,
        restrict: int | None = None,
        match_case: bool = False,
        method: AnalogyMethod = "add",
        unseen: bool = False,
    ) -> "Evaluation":
        """Read the tests from files.

        Raises:
            VectorsError: a file cannot be read, or two tests have the same name.
        """
        names = [path.stem for path in (*similarity, *analogies)]
        for name in names:
            if names.count(name) > 1:
                raise VectorsError(f"two tests are named {name}; rename a file")
        return cls(
            [read_similarity(path) for path in similarity],
            [read_analogies(path) for path in analogies],
            restrict,
            match_case,
            method,
            unseen,
        )

    @property
    def names(self) -> list[str]:
        """The names of the tests."""
        return [
            *(test.name for test in self.similarity),
            *(test.name for test in self.analogies),
        ]

    def __call__(self, vectors: WordVectors) -> list[Score]:
        """Score vectors on every test, in the given order.

        Raises:
            VectorsError: unseen words are asked for, but have no vectors.
        """
        if self.unseen and vectors.subwords is None:
            raise VectorsError(
                "--unseen: the vectors of n-grams are missing, so unseen words have no "
                "vectors; give a run trained with model.ngrams or a fastText model"
            )
        judged = vectors.most_frequent(self.restrict)
        lookup = _Lookup(judged, match_case=self.match_case)
        scores = []
        for name, pairs in ((test.name, test.pairs) for test in self.similarity):
            scores.append(score_similarity(judged, lookup, pairs, name))
            if self.unseen:
                scores.append(score_with_unseen(lookup, pairs, name))
        for test in self.analogies:
            scores += _score_analogies(judged, lookup, test, self.method)
        if lookup.respelled.keys() > self._reported:
            self._reported.update(lookup.respelled)
            word, found = next(iter(lookup.respelled.items()))
            _LOG.info(
                "words of the tests looked up as the vocabulary spells them: %d, such "
                "as %r for %r",
                len(lookup.respelled),
                found,
                word,
            )
        return scores


class _Lookup:
    """Finds words, either matching or ignoring case.

    Attributes:
        first: (V,) int64: for each row, the first row whose word counts as the same.
        respelled: words that were found in another spelling, and that spelling.
    """

    def __init__(self, vectors: WordVectors, *, match_case: bool) -> None:
        self._vectors = vectors
        self._fold = str if match_case else str.upper
        # The tokenizer of a run may lower capitals.
        self._spellings = same_spellings if match_case else vectors.spellings
        self.respelled: dict[str, str] = {}
        self._rows: dict[str, int] = {}
        folded = [self._fold(word) for word in vectors.words]
        self.first = np.array(
            [self._rows.setdefault(word, row) for row, word in enumerate(folded)]
        )

    def unit_vector(self, word: str) -> NDArray[np.float32] | None:
        """Return the vector of a word or of its n-grams, scaled to length 1."""
        row = self._row(word)
        if row >= 0:
            (found,) = self._vectors.unit_rows(np.array([row]))
            return np.asarray(found)
        vector = self._vectors.get(word)
        return None if vector is None else unit(vector[None])[0]

    def rows(self, words: Sequence[str]) -> list[int] | None:
        """Return the words' rows, or None if one of them is missing."""
        rows = [self._row(word) for word in words]
        return None if -1 in rows else rows

    def _row(self, word: str) -> int:
        row = self._rows.get(self._fold(word), -1)
        if row >= 0:
            return row
        for other in self._spellings(word):
            row = self._rows.get(self._fold(other), -1)
            if row >= 0:
                self.respelled[word] = other
                return row
        return -1

    def same(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (n, m): for each of n rows, all rows that count as the same word.

        Short lists are padded with the row itself.
        """
        wanted = np.zeros(len(self.first), dtype=bool)
        wanted[rows] = True
        (others,) = np.nonzero(wanted[self.first])
        variants: dict[int, list[int]] = {row: [] for row in rows.tolist()}
        for row in others.tolist():
            variants[int(self.first[row])].append(row)
        most = max(map(len, variants.values()), default=1)
        lists = [variants[row] for row in rows.tolist()]
        return np.array([found + found[:1] * (most - len(found)) for found in lists])


def score_similarity(
    vectors: WordVectors,
    lookup: _Lookup,
    pairs: Sequence[tuple[str, str, float]],
    name: str,
) -> Score:
    """Return Spearman's rank correlation of cosines and scores; ties get mean ranks."""
    found = [(lookup.rows(pair[:2]), pair[2]) for pair in pairs]
    known = [(rows, score) for rows, score in found if rows is not None]
    one, other = np.array([rows for rows, _ in known], dtype=np.int64).reshape(-1, 2).T
    cosines = (vectors.unit_rows(one) * vectors.unit_rows(other)).sum(axis=1)
    return _similarity(name, "", cosines, [score for _, score in known], len(pairs))


def score_with_unseen(
    lookup: _Lookup, pairs: Sequence[tuple[str, str, float]], name: str
) -> Score:
    """Return the same correlation, with words whose vectors are made from n-grams."""
    cosines, scores = [], []
    for *words, score in pairs:
        one, other = map(lookup.unit_vector, words)
        if one is not None and other is not None:
            cosines.append(one @ other)
            scores.append(score)
    return _similarity(name, _WITH_UNSEEN, np.array(cosines), scores, len(pairs))


def _similarity(
    name: str,
    section: str,
    cosines: NDArray[np.float32],
    scores: Sequence[float],
    asked: int,
) -> Score:
    value, expected = None, np.array(scores)
    if len(expected) > 1 and np.ptp(cosines) > 0 and np.ptp(expected) > 0:
        value = spearman(expected, cosines)
    missing = asked - len(expected)
    return Score(name, section, "spearman", value, len(expected), missing)


def spearman(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Spearman's rank correlation of two series; ties get their mean rank.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0]))
    0.5
    """
    return float(np.corrcoef(_mean_ranks(one), _mean_ranks(other))[0, 1])


def _mean_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    _, groups, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(sizes) - (sizes - 1) / 2)[groups])


def _score_analogies(
    vectors: WordVectors, lookup: _Lookup, test: AnalogyTest, method: AnalogyMethod
) -> list[Score]:
    found = [
        (section, lookup.rows(question))
        for section, (_, questions) in enumerate(test.sections)
        for question in questions
    ]
    known = [(section, rows) for section, rows in found if rows is not None]
    is_right = np.zeros(0, dtype=bool)
    if known:
        rows = np.array([rows for _, rows in known])
        answers = _answers(vectors, lookup, rows[:, :3], method)
        is_right = lookup.first[answers] == rows[:, 3]
    in_section = np.array([section for section, _ in known])
    asked = np.array([section for section, _ in found])
    scores = []
    for number, (name, _) in enumerate(test.sections):
        right = is_right[in_section == number]
        missing = int((asked == number).sum()) - len(right)
        scores.append(_accuracy(test.name, name, right, missing))
    missing = len(found) - len(known)
    return [*scores, _accuracy(test.name, "total", is_right, missing)]


def _accuracy(test: str, section: str, right: NDArray[np.bool_], missing: int) -> Score:
    value = float(right.mean()) if len(right) else None
    return Score(test, section, "accuracy", value, len(right), missing)


def _answers(
    vectors: WordVectors,
    lookup: _Lookup,
    questions: NDArray[np.int64],
    method: AnalogyMethod,
) -> NDArray[np.int64]:
    """Return the best row for each of (n, 3) questions, excluding its own words."""
    distinct, places = np.unique(questions, return_inverse=True)
    excluded = lookup.same(distinct)[places.reshape(questions.shape)]
    excluded = excluded.reshape(len(questions), -1)
    asked = vectors.unit_rows(distinct)[places.reshape(questions.shape)]
    best = np.zeros(len(questions), dtype=np.int64)
    height = np.full(len(questions), -np.inf, dtype=np.float32)
    for first, block in vectors.unit_blocks():
        for start in range(0, len(questions), _QUESTIONS_AT_ONCE):
            part = slice(start, start + _QUESTIONS_AT_ONCE)
            a, b, c = asked[part].transpose(1, 0, 2)
            scores = analogy_scores(a, b, c, block, method)
            question, column = np.nonzero(
                (excluded[part] >= first) & (excluded[part] < first + len(block))
            )
            scores[question, excluded[part][question, column] - first] = -np.inf
            top = scores.argmax(axis=1)
            reached = scores[np.arange(len(top)), top]
            better = reached > height[part]
            height[part][better] = reached[better]
            best[part][better] = top[better] + first
    return best
