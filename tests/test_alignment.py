import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from sg_train.errors import VectorsError
from sg_train.vectors.alignment import align, centred, shared_words
from sg_train.vectors.word_vectors import WordVectors


def space(size: int = 300, dimension: int = 8, seed: int = 1) -> WordVectors:
    generator = np.random.default_rng(seed)
    matrix = generator.normal(0.3, 1, (size, dimension)).astype(np.float32)
    return WordVectors([f"w{row}" for row in range(size)], matrix)


def rotation(dimension: int, seed: int = 2) -> np.ndarray:
    random = np.random.default_rng(seed).normal(size=(dimension, dimension))
    return np.linalg.qr(random)[0]


@given(st.integers(1, 9), st.integers(0, 5))
def test_a_rotated_space_comes_back(dimension: int, seed: int) -> None:
    original = space(dimension=dimension)
    turned = WordVectors(
        original.words, (original.matrix @ rotation(dimension, seed)).astype("f4")
    )
    alignment = align(turned, original)
    assert alignment.cosine == pytest.approx(1, abs=1e-6)
    assert alignment.residual < 1e-3
    back = alignment.apply(turned)
    np.testing.assert_allclose(back.matrix, original.matrix, atol=1e-5)


def test_the_rotation_is_scipys() -> None:
    one, other = space(seed=1), space(seed=5)
    kept = [*other.words[100:], "more"]
    other = WordVectors(kept, np.concatenate((other.matrix[100:], np.ones((1, 8)))))
    alignment = align(one, other)
    words = shared_words([one, other])
    assert words == one.words[100:]
    x, y = (centred(each, words).astype(np.float64) for each in (one, other))
    expected, _ = scipy.linalg.orthogonal_procrustes(x, y)
    np.testing.assert_allclose(alignment.rotation, expected, atol=1e-6)
    apart = np.linalg.norm(x @ expected - y) / np.linalg.norm(y)
    assert alignment.residual == pytest.approx(apart, rel=1e-5)
    assert alignment.cosine == pytest.approx((x @ expected * y).sum() / 200, rel=1e-5)
    assert alignment.before == pytest.approx((x * y).sum() / 200, abs=1e-6)
    cosines = one.neighbors("w7", 5)
    again = alignment.apply(one).neighbors("w7", 5)
    assert [word for word, _ in cosines] == [word for word, _ in again]


def test_frequent_words_may_decide_alone() -> None:
    original = space()
    matrix = (original.matrix @ rotation(8)).astype("f4")
    matrix[100:] = np.random.default_rng(3).normal(size=(200, 8))
    turned = WordVectors(original.words, matrix)
    alignment = align(turned, original, restrict=100)
    assert (alignment.words, round(alignment.cosine, 5)) == (100, 1)
    np.testing.assert_allclose(
        alignment.apply(turned).matrix[:100], original.matrix[:100], atol=1e-5
    )
    assert align(turned, original).residual > 0.3


def test_centred_vectors_have_length_1_around_their_mean() -> None:
    matrix = space().matrix.astype(np.float64)
    scaled = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    apart = scaled - scaled.mean(axis=0)
    expected = apart / np.linalg.norm(apart, axis=1, keepdims=True)
    np.testing.assert_allclose(centred(space(), space().words), expected, atol=1e-6)


def test_spaces_that_cannot_be_aligned_are_refused() -> None:
    with pytest.raises(VectorsError, match="dimension 8 and 7 cannot be aligned"):
        align(space(), space(dimension=7))
    with pytest.raises(VectorsError, match="share no word"):
        align(space(), WordVectors(["x"], np.ones((1, 8), dtype=np.float32)))
    with pytest.raises(
        VectorsError, match="7 shared words cannot decide a rotation of"
    ):
        align(space(), space(size=7))
    broken = WordVectors(space().words, np.full((300, 8), np.nan, dtype=np.float32))
    with pytest.raises(VectorsError, match="not finite"):
        align(broken, space())


def test_vectors_of_zeros_cannot_be_aligned() -> None:
    zeros = WordVectors(space().words, np.zeros((300, 8), dtype=np.float32))
    with pytest.raises(VectorsError, match="shared words are all equal or 0"):
        align(zeros, zeros)
