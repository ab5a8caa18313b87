import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from sg_train.vectors.drift import measure_drift
from sg_train.vectors.scores import unit
from sg_train.vectors.word_vectors import WordVectors


def some_vectors(words: int, seed: int = 1) -> WordVectors:
    matrix = np.random.default_rng(seed).normal(size=(words, 6)).astype(np.float32)
    return WordVectors([f"w{i}" for i in range(words)], matrix)


def test_a_rotated_space_is_the_same_when_aligned() -> None:
    before = some_vectors(40)
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))
    order = np.random.default_rng(3).permutation(40)
    after = WordVectors(
        [before.words[i] for i in order],
        (3 * before.matrix[order] @ rotation).astype(np.float32),
    )
    drift = measure_drift(before, after)
    assert drift.words == 40
    assert drift.aligned == pytest.approx(1, abs=1e-6)
    assert abs(drift.cosine) < 0.9
    same = measure_drift(before, before)
    assert (same.cosine, same.aligned) == pytest.approx((1, 1))


def test_the_alignment_is_that_of_procrustes() -> None:
    before, after = some_vectors(50), some_vectors(30, seed=7)
    x, y = (unit(vectors.matrix[:30]).astype(float) for vectors in (before, after))
    rotation, _ = orthogonal_procrustes(x, y)
    drift = measure_drift(before, after)
    assert drift.words == 30
    assert drift.cosine == pytest.approx((x * y).sum(axis=1).mean())
    assert drift.aligned == pytest.approx((x @ rotation * y).sum(axis=1).mean())


def test_without_a_common_word_there_is_nothing_to_measure() -> None:
    other = WordVectors(["x"], np.ones((1, 6), dtype=np.float32))
    assert measure_drift(some_vectors(3), other) is None
