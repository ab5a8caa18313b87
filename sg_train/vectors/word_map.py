"""Words as points on a plane."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import VectorsError
from sg_train.system.optional import require
from sg_train.vectors.cosine import unit
from sg_train.vectors.word_vectors import WordVectors

Projection = Literal["pca", "tsne"]

LEAST_WORDS = 3

_CLUSTERS = 7
_CENTRAL = 3  # words that name a cluster
_SHORTEST_WORD = 3
_FREQUENT = 6  # candidate words per word wanted


@dataclass(frozen=True)
class WordMap:
    """Words, most frequent first, and their positions.

    Attributes:
        words: n words.
        places: (n, 2) float64.
        clusters: (n,) int64: similar words, or those of a group, have the same number;
            -1 for words of no group.
        titles: what each number stands for: a cluster's most central words, or only
            the name of a group.
    """

    words: list[str]
    places: NDArray[np.float64]
    clusters: NDArray[np.int64]
    titles: Sequence[Sequence[str]] = ()


def content_words(vectors: WordVectors, count: int) -> list[str]:
    """Choose frequent words that carry meaning of their own (content words).

    These are the frequent words with the longest vectors: at similar frequency, a word
    with few senses and topics has a longer vector than one that occurs everywhere, as
    function words do (Schakel and Wilson 2015). Numbers and short words are left out.
    Where most are such, as items of a shop are, the most frequent ones are taken.
    """
    frequent = vectors.most_frequent(_FREQUENT * count)
    lengths = np.linalg.norm(frequent.matrix, axis=1)
    rows = [
        row
        for row in np.argsort(-lengths, kind="stable").tolist()
        if _is_word(frequent.words[row])
    ]
    if len(rows) < min(count, len(frequent)) / 2:
        return list(frequent.words[:count])
    return [frequent.words[row] for row in sorted(rows[:count])]


def _is_word(word: str) -> bool:
    """Return whether it is letters and marks, and long enough if the script has case.

    Apostrophes and the underscores of phrases may join them. Chinese and Japanese words
    often have only one or two characters.
    """
    letters = word.replace("'", "").replace("_", "")
    if not letters or any(unicodedata.category(x)[0] not in "LM" for x in letters):
        return False
    return letters.lower() == letters.upper() or len(letters) >= _SHORTEST_WORD


def make_map(
    vectors: WordVectors,
    words: Sequence[str],
    projection: Projection = "pca",
    seed: int = 1,
    groups: Mapping[str, str] | None = None,
) -> WordMap:
    """Project words onto a plane by their vectors, scaled to length 1.

    If no word has a group, k-means puts them into clusters.

    Args:
        vectors: vectors of these words, and possibly of others.
        words: at least 3 distinct words.
        projection: the first two principal components, or t-SNE (van der Maaten and
            Hinton 2008) by scikit-learn.
        seed: seed of k-means and t-SNE.
        groups: the groups of some of the words.

    Raises:
        VectorsError: a word has no vector, or there are too few words.
        MissingLibraryError: scikit-learn is not installed.
    """
    unseen = [word for word in dict.fromkeys(words) if word not in vectors]
    rows = sorted({vectors.id(word) for word in words if word in vectors})
    drawn = [*(vectors.words[row] for row in rows), *unseen]
    if len(drawn) < LEAST_WORDS:
        raise VectorsError(
            f"a map needs at least {LEAST_WORDS} words, not {len(drawn)}; give more "
            "words with --words"
        )
    points = unit(vectors[drawn]).astype(np.float64)
    places = principal_plane(points) if projection == "pca" else _tsne(points, seed)
    numbers, titles = _grouped(vectors, drawn, groups or {})
    if not titles:
        numbers, titles = _clusters(drawn, points, seed)
    return WordMap(drawn, places, numbers, titles)


def _grouped(
    vectors: WordVectors, words: Sequence[str], groups: Mapping[str, str]
) -> tuple[NDArray[np.int64], list[list[str]]]:
    """Number the groups of words in the order of their names in `groups`."""
    of_word = {
        vectors.words[vectors.id(word)] if word in vectors else word: group
        for word, group in groups.items()
    }
    known = {of_word[word] for word in words if word in of_word}
    names = [name for name in dict.fromkeys(groups.values()) if name in known]
    number = {name: place for place, name in enumerate(names)}
    found = [number.get(of_word.get(word, ""), -1) for word in words]
    return np.array(found, dtype=np.int64), [[name] for name in names]


def principal_plane(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project (n, D) points on their first two principal components, (n, 2) float64."""
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = np.concatenate((axes, np.zeros((2, points.shape[1]))))[:2]
    # An axis may point either way: make its largest coordinate positive.
    largest = axes[[0, 1], np.abs(axes).argmax(axis=1)]
    places: NDArray[np.float64] = (
        centred @ (axes * np.where(largest < 0, -1, 1)[:, None]).T
    )
    return places


def _tsne(points: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    library = require("sklearn.manifold", "t-SNE", "tsne")
    perplexity = min(30.0, (len(points) - 1) / 3)
    tsne = library.TSNE(init="random", perplexity=perplexity, random_state=seed)
    return np.asarray(tsne.fit_transform(points), dtype=np.float64)


def _clusters(
    words: Sequence[str], points: NDArray[np.float64], seed: int
) -> tuple[NDArray[np.int64], list[list[str]]]:
    """Return the cluster of each word, and the most central words of each cluster."""
    wanted = max(1, min(_CLUSTERS, round((len(points) / 2) ** 0.5)))
    library = require("scipy.cluster.vq", "a map of words", "plot")
    _, clusters = library.kmeans2(
        points, wanted, iter=50, minit="++", rng=np.random.default_rng(seed)
    )
    # Number clusters by their first word, so that small changes keep most colours.
    _, first, numbers = np.unique(clusters, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), dtype=np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    clusters = ranks[numbers]
    titles = []
    for number in range(len(first)):
        (rows,) = np.nonzero(clusters == number)
        near = points[rows] @ points[rows].mean(axis=0)
        central = rows[np.argsort(-near, kind="stable")[:_CENTRAL]]
        titles.append([words[row] for row in central.tolist()])
    return clusters, titles
