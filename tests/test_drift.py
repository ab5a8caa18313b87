import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from sg_train.errors import VectorsError
from sg_train.vectors import drift as drift_module
from sg_train.vectors.cosine import unit
from sg_train.vectors.drift import measure_drift
from sg_train.vectors.word_vectors import WordVectors


def some_vectors(words: int, seed: int = 1) -> WordVectors:
    matrix = np.random.default_rng(seed).normal(size=(words, 6)).astype(np.float32)
    return WordVectors([f"w{i}" for i in range(words)], matrix)


def test_a_rotated_space_is_the_same_when_aligned() -> None:
    before = some_vectors(60)
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))
    order = np.random.default_rng(3).permutation(60)
    after = WordVectors(
        [before.words[i] for i in order],
        (3 * before.matrix[order] @ rotation).astype(np.float32),
    )
    drift = measure_drift(before, after)
    assert drift.words == 60
    assert drift.aligned == pytest.approx(1, abs=1e-6)
    assert abs(drift.cosine) < 0.9
    same = measure_drift(before, before)
    assert (same.cosine, same.aligned) == pytest.approx((1, 1))


@pytest.mark.parametrize("at_once", [7, 1000])
def test_the_alignment_is_that_of_procrustes(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(drift_module, "_ROWS_AT_ONCE", at_once)
    before, after = some_vectors(90), some_vectors(70, seed=7)
    x, y = (unit(vectors.matrix[:70]).astype(float) for vectors in (before, after))
    rotation, _ = orthogonal_procrustes(x, y)
    drift = measure_drift(before, after)
    assert drift.words == 70
    assert drift.cosine == pytest.approx((x * y).sum(axis=1).mean())
    assert drift.aligned == pytest.approx((x @ rotation * y).sum(axis=1).mean())


def test_few_words_can_be_aligned_with_anything() -> None:
    assert measure_drift(some_vectors(59), some_vectors(59)).aligned is None
    assert measure_drift(some_vectors(60), some_vectors(60)).aligned is not None


def test_the_reason_why_drift_cannot_be_compared_is_reported() -> None:
    other = WordVectors(["x"], np.ones((1, 6), dtype=np.float32))
    with pytest.raises(VectorsError, match="share no word"):
        measure_drift(some_vectors(3), other)
    shorter = WordVectors(["w1"], np.ones((1, 5), dtype=np.float32))
    with pytest.raises(VectorsError, match="length 6 cannot be compared with .* 5"):
        measure_drift(some_vectors(3), shorter)
    broken = WordVectors(["w1"], np.full((1, 6), np.nan, dtype=np.float32))
    with pytest.raises(VectorsError, match="not finite"):
        measure_drift(broken, some_vectors(3))
