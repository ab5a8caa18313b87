"""Words as points on a plane."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from sg_train.errors import VectorsError
from sg_train.extras import require
from sg_train.vectors.scores import unit
from sg_train.vectors.word_vectors import WordVectors

Projection = Literal["pca", "tsne"]

_CLUSTERS = 7
_WORDS_A_CLUSTER = 12
_SHORTEST_WORD = 3
_FREQUENT = 6  # times as many words as are wanted count as frequent


@dataclass(frozen=True)
class WordMap:
    """Words, most frequent first, and where they lie.

    Attributes:
        words: n words.
        places: (n, 2) float64.
        clusters: (n,) int64: words with the same number are alike.
    """

    words: list[str]
    places: NDArray[np.float64]
    clusters: NDArray[np.int64]


def content_words(vectors: WordVectors, count: int) -> list[str]:
    """Choose frequent words that mean something by themselves.

    Of the most frequent words those with the longest vectors: at like frequency a word
    with few senses and topics has a longer vector than one that stands everywhere, as
    function words do (Schakel and Wilson 2015).
    """
    frequent = vectors.most_frequent(_FREQUENT * count)
    lengths = np.linalg.norm(frequent.matrix, axis=1)
    rows = [
        row
        for row in np.argsort(-lengths, kind="stable").tolist()
        if _is_word(frequent.words[row])
    ]
    return [frequent.words[row] for row in sorted(rows[:count])]


def _is_word(word: str) -> bool:
    """Say whether it is of letters and marks, and long enough where letters have case.

    (A Chinese or Japanese word may well have one or two characters.)
    """
    if any(unicodedata.category(character)[0] not in "LM" for character in word):
        return False
    return word.lower() == word.upper() or len(word) >= _SHORTEST_WORD


def make_map(
    vectors: WordVectors,
    words: Sequence[str],
    projection: Projection = "pca",
    seed: int = 1,
) -> WordMap:
    """Lay words out on a plane by their vectors, scaled to length 1.

    Args:
        vectors: of these and other words.
        words: at least 3.
        projection: the two principal components, or t-SNE (van der Maaten and Hinton
            2008) by scikit-learn.
        seed: of the clusters (k-means) and of t-SNE.

    Raises:
        VectorsError: a word has no vector, or there are too few.
        MissingLibraryError: scikit-learn is not installed.
    """
    rows = sorted({vectors.id(word) for word in words})
    if len(rows) < 3:
        raise VectorsError(
            f"a map takes at least 3 words, there are {len(rows)} to draw; give more "
            "words with --words"
        )
    points = unit(vectors.matrix[rows]).astype(np.float64)
    places = _pca(points) if projection == "pca" else _tsne(points, seed)
    return WordMap(
        [vectors.words[row] for row in rows], places, _clusters(points, seed)
    )


def _pca(points: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = np.concatenate((axes, np.zeros((2, points.shape[1]))))[:2]
    # An axis may point either way: let its largest coordinate be positive.
    largest = axes[[0, 1], np.abs(axes).argmax(axis=1)]
    places: NDArray[np.float64] = (
        centred @ (axes * np.where(largest < 0, -1, 1)[:, None]).T
    )
    return places


def _tsne(points: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    library = require("sklearn.manifold", "scikit-learn", "t-SNE")
    perplexity = min(30.0, (len(points) - 1) / 3)
    tsne = library.TSNE(init="random", perplexity=perplexity, random_state=seed)
    return np.asarray(tsne.fit_transform(points), dtype=np.float64)


def _clusters(points: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    wanted = max(1, min(_CLUSTERS, len(points) // _WORDS_A_CLUSTER))
    _, clusters = kmeans2(
        points, wanted, iter=50, minit="++", rng=np.random.default_rng(seed)
    )
    # Numbered by their first word, so that small changes do not swap all colours.
    _, first, numbers = np.unique(clusters, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), dtype=np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    return ranks[numbers]
