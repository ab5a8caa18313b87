"""A word and its neighbours in several spaces, as points on one plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import VectorsError
from sg_train.vectors.alignment import align
from sg_train.vectors.cosine import unit
from sg_train.vectors.word_map import principal_plane
from sg_train.vectors.word_vectors import WordVectors

NEIGHBORS = 8


@dataclass(frozen=True, eq=False)
class WordPath:
    """Where a word and its neighbours lie in s spaces.

    Attributes:
        word: the word.
        places: (s, 2) float64, of the word; NaN in spaces that do not have it.
        near: of each space, the nearest words; none in spaces that do not have the
            word.
        words: the m distinct words of `near`.
        word_places: (s, m, 2) float64, theirs; NaN likewise.
    """

    word: str
    places: NDArray[np.float64]
    near: Sequence[Sequence[str]]
    words: Sequence[str]
    word_places: NDArray[np.float64]


def trace_word(
    spaces: Sequence[WordVectors],
    word: str,
    count: int = NEIGHBORS,
    restrict: int | None = None,
) -> WordPath:
    """Find the places of a word and its neighbours in several spaces.

    All spaces are rotated onto the last one; the plane is that of the first two
    principal components of all places (compare Hamilton et al. 2016, figure 1).

    Args:
        spaces: two or more, such as those of periods, in their order.
        word: a word of at least two of them.
        count: number of neighbours in each space.
        restrict: neighbours are among this many of the most frequent words of a space.

    Raises:
        VectorsError: fewer than two spaces have the word, or they cannot be aligned.
    """
    have = [space.get(word) is not None for space in spaces]
    if sum(have) < 2:
        raise VectorsError(
            f"{word!r} has a vector in {sum(have)} of {len(spaces)} spaces, so it has "
            "no path; choose a word that at least two of them have"
        )
    near = [
        [name for name, _ in space.neighbors(word, count, restrict=restrict)]
        if has
        else []
        for space, has in zip(spaces, have, strict=True)
    ]
    names = list(dict.fromkeys(name for some in near for name in some))
    points = np.full((len(spaces), 1 + len(names), spaces[-1].dimension), np.nan)
    for number, space in enumerate(spaces):
        rotation = align(space, spaces[-1]).rotation
        for at, name in enumerate((word, *names)):
            vector = space.get(name)
            if vector is not None:
                points[number, at] = unit(vector[None])[0] @ rotation
    is_known = ~np.isnan(points[..., 0])
    places = np.full((*points.shape[:2], 2), np.nan)
    places[is_known] = principal_plane(points[is_known])
    return WordPath(word, places[:, 0], near, names, places[:, 1:])
