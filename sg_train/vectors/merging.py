"""One set of vectors from two."""

from typing import get_args

import numpy as np

from sg_train.choices import Duplicates
from sg_train.errors import VectorsError
from sg_train.vectors.word_vectors import WordVectors


def merge(
    first: WordVectors, second: WordVectors, *, duplicates: Duplicates
) -> WordVectors:
    """Return the words of two sets of vectors.

    Only vectors of one space can be compared, such as those of a run and of another
    that continues it. Words are sorted by count if both sets have counts, which are
    added up; else those of `first` come first. n-grams are left out.

    Args:
        first: words and vectors.
        second: further ones of the same dimension.
        duplicates: whose vector a word in both sets has: that of the `first`, of the
            `second`, their `mean`, or none, because such words are to be refused.

    Raises:
        VectorsError: the dimensions differ, or a word is in both sets and duplicates
            are refused.

    >>> one, other = WordVectors(["a"], [[2]]), WordVectors(["b", "a"], [[3], [4]])
    >>> merge(one, other, duplicates="mean").matrix.tolist()
    [[3.0], [3.0]]
    """
    if duplicates not in get_args(Duplicates):
        known = ", ".join(get_args(Duplicates))
        raise VectorsError(f"duplicates={duplicates!r}: choose one of {known}")
    if first.dimension != second.dimension:
        raise VectorsError(
            f"vectors of dimension {first.dimension} and {second.dimension} cannot be "
            "merged"
        )
    ids = first.ids
    shared = np.array([word in ids for word in second.words], dtype=np.bool_)
    if duplicates == "refuse" and shared.any():
        word = second.words[int(np.argmax(shared))]
        raise VectorsError(f"{word!r} is in both; choose first, second or mean for it")
    (there,), (new,) = np.nonzero(shared), np.nonzero(~shared)
    here = np.array([ids[second.words[row]] for row in there.tolist()], dtype=np.int64)
    words = [*first.words, *(second.words[row] for row in new.tolist())]
    matrix = np.concatenate((first.matrix, second.matrix[new]))
    if duplicates == "second":
        matrix[here] = second.matrix[there]
    elif duplicates == "mean":
        matrix[here] = (first.matrix[here] + second.matrix[there]) / 2
    if first.counts is None or second.counts is None:
        return WordVectors(words, matrix, first.spellings)
    counts = np.concatenate((first.counts, second.counts[new]))
    counts[here] += second.counts[there]
    order = np.argsort(-counts, kind="stable")
    names = [words[row] for row in order.tolist()]
    return WordVectors(names, matrix[order], first.spellings, counts=counts[order])
