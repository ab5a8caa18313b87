"""What several runs agree on: neighbours that do not depend on the seed."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from sg_train.errors import VectorsError
from sg_train.vectors.word_vectors import WordVectors


class Agreed(NamedTuple):
    """A neighbour of a word in several runs.

    Attributes:
        word: the neighbour.
        cosine: mean over the runs that have both words.
        spread: its standard deviation (n - 1); None if only one run has both.
        runs: number of runs in which it is among the nearest.
    """

    word: str
    cosine: float
    spread: float | None
    runs: int


def agreed_neighbors(
    runs: Sequence[WordVectors],
    word: str,
    top: int = 10,
    *,
    restrict: int | None = None,
) -> list[Agreed]:
    """Return the words whose mean cosine with a word is highest, over several runs.

    Only words that are among the `top` nearest in some run are considered.

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
    if not runs:
        raise VectorsError("no run to look the word up in; give at least one")
    near = [
        [name for name, _ in run.neighbors(word, top, restrict=restrict)]
        for run in runs
    ]
    found = []
    for name in dict.fromkeys(name for names in near for name in names):
        cosines = [run.similarity(word, name) for run in runs if name in run]
        found.append(
            Agreed(
                name,
                statistics.fmean(cosines),
                statistics.stdev(cosines) if len(cosines) > 1 else None,
                sum(name in names for names in near),
            )
        )
    return sorted(found, key=lambda each: -each.cosine)[:top]
