import numpy as np
import pytest

from sg_train.errors import VectorsError
from sg_train.vectors.cosine import unit
from sg_train.vectors.paths import trace_word
from sg_train.vectors.word_vectors import WordVectors
from tests.test_alignment import rotation

DIMENSION = 8
NAMES = [f"w{row}" for row in range(60)]


def space(seed: int, moved_to: int | None = None, without: str = "") -> WordVectors:
    """Return the same space, turned; w0 is moved onto another word."""
    truth = np.random.default_rng(0).normal(size=(len(NAMES), DIMENSION))
    if moved_to is not None:
        truth[0] = truth[moved_to]
    rows = [row for row, name in enumerate(NAMES) if name != without]
    turned = (truth[rows] @ rotation(DIMENSION, seed)).astype(np.float32)
    return WordVectors([NAMES[row] for row in rows], turned)


def test_spaces_are_turned_onto_the_last_so_that_only_the_word_moves() -> None:
    spaces = [space(1, moved_to=7), space(2, moved_to=7), space(3, moved_to=30)]
    found = trace_word(spaces, "w0", count=4)
    assert [near[0] for near in found.near] == ["w7", "w7", "w30"]
    assert all(len(near) == 4 for near in found.near)
    assert set(found.words) == {name for near in found.near for name in near}
    # The turning is decided by all words, of which one has moved.
    np.testing.assert_allclose(
        found.word_places[0], found.word_places[2], atol=0.12, rtol=0
    )
    at = {word: row for row, word in enumerate(found.words)}
    np.testing.assert_allclose(
        found.places[0], found.word_places[0, at["w7"]], atol=1e-6
    )
    np.testing.assert_allclose(
        found.places[2], found.word_places[2, at["w30"]], atol=1e-6
    )
    np.testing.assert_allclose(found.places[0], found.places[1], atol=0.02)
    assert np.linalg.norm(found.places[0] - found.places[2]) > 0.5


def test_places_are_principal_components_of_the_turned_unit_vectors() -> None:
    spaces = [space(4), space(4)]
    found = trace_word(spaces, "w0", count=5)
    points = unit(spaces[0][["w0", *found.words]]).astype(float)
    both = np.concatenate((points, points))
    values, vectors = np.linalg.eigh(np.cov(both.T))
    plane = vectors[:, np.argsort(-values)[:2]]
    expected = np.abs((points - points.mean(axis=0)) @ plane)
    places = np.concatenate((found.places[:1], found.word_places[0]))
    np.testing.assert_allclose(np.abs(places), expected, atol=1e-5)


def test_spaces_without_the_word_or_a_neighbour_are_passed_over() -> None:
    spaces = [space(1), space(2, without="w0"), space(3, moved_to=9)]
    found = trace_word(spaces, "w0", count=3)
    assert np.isnan(found.places[1]).all()
    assert not np.isnan(found.places[[0, 2]]).any()
    assert found.near[1] == []
    assert not np.isnan(found.word_places).any()
    lacks = [space(1, moved_to=9), space(2, without="w9")]
    found = trace_word(lacks, "w0", count=3)
    assert found.near[0][0] == "w9"
    assert np.isnan(found.word_places[1, 0]).all()
    with pytest.raises(VectorsError, match="'w0' has a vector in 1 of 2 spaces"):
        trace_word(spaces[:2], "w0")
    with pytest.raises(VectorsError, match="'x' has a vector in 0 of 3 spaces"):
        trace_word(spaces, "x")


def test_neighbours_may_be_restricted_to_frequent_words() -> None:
    found = trace_word([space(1), space(2)], "w0", count=3, restrict=10)
    assert all(int(word[1:]) < 10 for word in found.words)
