"""What several runs agree on: answers that do not depend on the seed or the sample."""

import statistics
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from sg_train.choices import AnalogyMethod
from sg_train.errors import VectorsError
from sg_train.vectors.word_vectors import WordVectors


class Agreed(NamedTuple):
    """A word that several runs give as an answer.

    Attributes:
        word: the word.
        score: its cosine or score, the mean over the runs that have it.
        spread: the standard deviation (n - 1); None if only one run has it.
        runs: number of runs in which it is among the best.
    """

    word: str
    score: float
    spread: float | None
    runs: int


class MeanCosine(NamedTuple):
    """The cosine of two words in several runs.

    Attributes:
        cosine: the mean over the runs.
        spread: its standard deviation (n - 1); None for one run.
    """

    cosine: float
    spread: float | None


def agreed_neighbors(
    runs: Sequence[WordVectors],
    word: str,
    top: int = 10,
    *,
    restrict: int | None = None,
) -> list[Agreed]:
    """Return the words that most runs have among the `top` nearest, those first.

    Among as many runs, words with the higher mean cosine come first.

    Args:
        runs: vectors of runs on the same text, such as those of several seeds.
        word: the word.
        top: how many neighbours to return, and how many nearest words of a run count.
        restrict: answer only with this many of the most frequent words of each run.

    Raises:
        VectorsError: a run has no vector of the word.

    >>> import numpy as np
    >>> runs = [WordVectors(["a", "b"], np.array([[1, 0], [x, 1]])) for x in (0, 1)]
    >>> [(found.word, found.runs) for found in agreed_neighbors(runs, "a")]
    [('b', 2)]
    """
    near = [
        [name for name, _ in run.neighbors(word, top, restrict=restrict)]
        for run in runs
    ]

    def cosine(run: WordVectors, name: str) -> float | None:
        return run.similarity(word, name) if name in run else None

    return _best(runs, near, cosine, top)


def agreed_similarities(
    runs: Sequence[WordVectors], pairs: Sequence[Sequence[str]]
) -> list[MeanCosine]:
    """Return the cosines of pairs of words in several runs.

    Raises:
        VectorsError: a run has no vector of a word, or there is no run.
    """
    _check_any(runs)
    of_runs = [run.similarities(pairs).tolist() for run in runs]
    return [
        MeanCosine(statistics.fmean(cosines), _spread(cosines))
        for cosines in zip(*of_runs, strict=True)
    ]


def agreed_analogy(
    runs: Sequence[WordVectors],
    question: tuple[str, str, str],
    top: int = 10,
    *,
    method: AnalogyMethod = "add",
    restrict: int | None = None,
) -> list[Agreed]:
    """Return the answers to a : b :: c : ? that most runs give, those first.

    Args:
        runs: as for `agreed_neighbors`.
        question: a, b and c.
        top: how many answers to return, and how many answers of a run count.
        method: as for `WordVectors.analogy`.
        restrict: answer only with this many of the most frequent words of each run.

    Raises:
        VectorsError: a run has no vector of a word.
    """
    scores = [
        dict(run.analogy(*question, len(run), method=method, restrict=restrict))
        for run in runs
    ]
    best = [list(answers)[:top] for answers in scores]
    of_run = {id(run): answers for run, answers in zip(runs, scores, strict=True)}
    return _best(runs, best, lambda run, name: of_run[id(run)].get(name), top)


def runs_with_neighbors(
    runs: Sequence[WordVectors],
    words: Sequence[str],
    near: Sequence[Collection[str]],
    top: int = 10,
) -> list[list[int]]:
    """Count in how many runs given words are among the nearest.

    Args:
        runs: vectors of runs on the same text.
        words: n words, which a run may lack.
        near: for each of them, other words.
        top: how many nearest words count.

    Returns:
        For each word, the number of runs for each of its other words.
    """
    counts = [dict.fromkeys(names, 0) for names in near]
    place = {word: at for at, word in enumerate(words)}
    for run in runs:
        asked = [word for word in words if word in run]
        for batch in run.neighbor_batches(asked, top) if asked else ():
            for word, rows in zip(batch.words, batch.rows.tolist(), strict=True):
                count = counts[place[word]]
                for row in rows:
                    if row >= 0 and (name := run.words[row]) in count:
                        count[name] += 1
    return [list(count.values()) for count in counts]


def _best(
    runs: Sequence[WordVectors],
    answers: Sequence[Sequence[str]],
    score: Callable[[WordVectors, str], float | None],
    top: int,
) -> list[Agreed]:
    """Return the answers of runs: those of most runs first, then by mean score."""
    _check_any(runs)
    found = []
    for name in dict.fromkeys(name for names in answers for name in names):
        of_runs = [each for run in runs if (each := score(run, name)) is not None]
        mean, count = statistics.fmean(of_runs), sum(name in names for names in answers)
        found.append(Agreed(name, mean, _spread(of_runs), count))
    return sorted(found, key=lambda each: (-each.runs, -each.score))[:top]


def _spread(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _check_any(runs: Sequence[WordVectors]) -> None:
    if not runs:
        raise VectorsError("no run to look words up in; give at least one")
