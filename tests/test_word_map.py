import sys

import numpy as np
import pytest

from sg_train.errors import MissingLibraryError, VectorsError
from sg_train.vectors.word_map import content_words, make_map
from sg_train.vectors.word_vectors import WordVectors


@pytest.fixture
def vectors() -> WordVectors:
    """Make three bundles of 20 words each, taking turns in frequency."""
    generator = np.random.default_rng(2)
    centres = np.eye(3, 10)[np.arange(60) % 3] * 3
    matrix = centres + generator.normal(0, 0.3, (60, 10))
    letters = "abcdefghijklmnopqrst"
    names = [f"{'xyz'[i % 3]}{letters[i // 3] * 3}" for i in range(60)]
    return WordVectors(names, matrix.astype(np.float32))


def test_long_vectors_of_frequent_words_are_chosen() -> None:
    names = [
        "the",
        "of",
        "gold",
        "a1",
        "war",
        "ox",
        "peace",
        *(f"r{i}" for i in range(9)),
    ]
    lengths = np.array([1, 9, 5, 9, 4, 9, 3, *[50] * 9], dtype=np.float32)
    vectors = WordVectors(names, lengths[:, None] * np.ones((1, 2), dtype=np.float32))
    # `of` and `ox` are short, `a1` and the rest have digits.
    assert content_words(vectors, 2) == ["gold", "war"]
    assert content_words(vectors, 8) == ["the", "gold", "war", "peace"]
    # Where most have digits, as items have, the most frequent ones are taken.
    assert content_words(vectors, 9) == names[:9]
    # Of the six most frequent words alone:
    assert content_words(vectors, 1) == ["gold"]


@pytest.mark.parametrize("words", ["中国 日本 人", "भारत हिन्दी में", "كتاب من قلم"])
def test_words_of_any_script_are_words(words: str) -> None:
    vectors = WordVectors(words.split(), np.eye(3, dtype=np.float32))
    assert content_words(vectors, 3) == words.split()


def test_pca_is_that_of_the_covariance(vectors: WordVectors) -> None:
    word_map = make_map(vectors, list(reversed(vectors.words)))
    assert word_map.words == vectors.words
    points = vectors.matrix / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    values, axes = np.linalg.eigh(np.cov(points.T.astype(np.float64)))
    assert word_map.places.var(axis=0, ddof=1) == pytest.approx(values[[-1, -2]])
    expected = (points - points.mean(axis=0)) @ axes[:, [-1, -2]]
    assert np.abs(word_map.places) == pytest.approx(np.abs(expected), abs=1e-5)
    # Of the two ways that an axis can point, the one whose largest part is positive.
    axes = (points - points.mean(axis=0)).T @ word_map.places
    assert (axes[np.abs(axes).argmax(axis=0), [0, 1]] > 0).all()


def test_clusters_are_found_and_numbered_by_frequency(vectors: WordVectors) -> None:
    clusters = make_map(vectors, vectors.words).clusters
    assert clusters[0] == 0
    for bundle in range(3):
        of_bundle = set(clusters[bundle::3].tolist())
        others = set(clusters.tolist()) - of_bundle
        assert not of_bundle & set(clusters[(bundle + 1) % 3 :: 3].tolist())
        assert others
    few = make_map(vectors, [w for w in vectors.words if w[0] in "xy"][:10])
    assert len(few.titles) == len(set(few.clusters)) == 2
    assert len(set(make_map(vectors, vectors.words[:3]).clusters)) == 1


def test_clusters_are_named_by_their_most_central_words(vectors: WordVectors) -> None:
    word_map = make_map(vectors, vectors.words)
    points = vectors.normalized().matrix
    for number, title in enumerate(word_map.titles):
        rows = np.flatnonzero(word_map.clusters == number)
        near = points[rows] @ points[rows].mean(axis=0)
        best = rows[np.argsort(-near, kind="stable")[:3]]
        assert title == [word_map.words[row] for row in best]


def test_groups_decide_the_colours(vectors: WordVectors) -> None:
    groups = {"absent": "none", "YAAA": "second", "zaaa": "first", "xaaa": "second"}
    spelled = WordVectors(
        vectors.words, vectors.matrix, lambda word: [word.lower(), word]
    )
    word_map = make_map(spelled, ["xaaa", "yaaa", "zaaa", "xbbb"], groups=groups)
    assert word_map.titles == [["second"], ["first"]]
    assert dict(zip(word_map.words, word_map.clusters.tolist(), strict=True)) == {
        "xaaa": 0,
        "yaaa": 0,
        "zaaa": 1,
        "xbbb": -1,
    }
    without = make_map(spelled, vectors.words, groups={"absent": "none"})
    assert min(without.clusters) == 0


def test_tsne_keeps_bundles_together(vectors: WordVectors) -> None:
    places = make_map(vectors, vectors.words, "tsne", seed=3).places
    again = make_map(vectors, vectors.words, "tsne", seed=3).places
    assert np.array_equal(places, again)
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    same = (np.arange(60)[:, None] - np.arange(60)) % 3 == 0
    assert apart[same].mean() < apart[~same].mean() / 2


def test_one_dimension_is_laid_out_too() -> None:
    matrix = np.array([[1], [-1], [2]], dtype=np.float32)
    places = make_map(WordVectors(list("abc"), matrix), list("abc")).places
    assert places.shape == (3, 2)
    assert (places[:, 1] == 0).all()


def test_too_few_or_unknown_words_are_refused(vectors: WordVectors) -> None:
    with pytest.raises(VectorsError, match="at least 3 words, not 1"):
        make_map(vectors, ["xaaa", "xaaa"])
    with pytest.raises(VectorsError, match="'gold' has no vector"):
        make_map(vectors, ["xaaa", "gold", "yaaa"])


def test_without_scikit_learn_there_is_one_line(vectors, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(MissingLibraryError, match="t-SNE needs sklearn, .*tsne.'$"):
        make_map(vectors, vectors.words, "tsne")
