import numpy as np
import pytest

from sg_train.model import embeddings
from sg_train.model.embeddings import Embeddings
from sg_train.vectors.ngrams import Ngrams, WordRows

MASK = (1 << 64) - 1


def splitmix64(state: int) -> int:
    """Return the generator's next output, as its paper writes it."""
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def draw(size: int, dimension: int, seed: int = 1, **ranges: float) -> Embeddings:
    drawn = Embeddings.empty(size, dimension)
    drawn.draw(seed, **{"u_range": 0.75, "v_range": 0.0, **ranges})
    return drawn


def test_numbers_are_those_of_the_generator() -> None:
    drawn = draw(5, 3, seed=7, v_range=2.0)
    for purpose, matrix, limit in ((3, drawn.u, 0.75 / 3), (4, drawn.v, 2.0 / 3)):
        key = 0
        for part in (7, 0, 0, purpose):  # seed, epoch, block
            key = splitmix64(key ^ part)
        for place, number in enumerate(matrix.flatten().tolist()):
            state = (key + place * 0x9E3779B97F4A7C15) & MASK
            share = (splitmix64(state) >> 40) / 2**24
            assert number == pytest.approx((2 * share - 1) * limit, rel=1e-6)


def test_numbers_are_uniform_and_v_may_be_zero() -> None:
    drawn = draw(1000, 10)
    assert drawn.u.dtype == drawn.v.dtype == np.float32
    assert (drawn.v == 0).all()
    tenths = np.histogram(drawn.u, bins=10, range=(-0.075, 0.075))[0]
    assert tenths.sum() == 10_000
    assert np.abs(tenths - 1000).max() < 120  # four standard deviations
    assert np.abs(np.corrcoef(drawn.u.T) - np.eye(10)).max() < 0.15


def test_each_seed_has_numbers_of_its_own() -> None:
    assert np.array_equal(draw(9, 4).u, draw(9, 4).u)
    assert (draw(9, 4).u != draw(9, 4, seed=2).u).all()
    both = draw(9, 4, v_range=0.75)
    assert (both.u != both.v).all()


def test_parts_and_strides_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = draw(50, 7).u
    assert np.array_equal(draw(20, 7).u, whole[:20])
    monkeypatch.setattr(embeddings, "_AT_ONCE", 30)  # not a multiple of a row
    assert np.array_equal(draw(50, 7).u, whole)
    monkeypatch.setattr(embeddings, "_AT_ONCE", 2)  # less than a row
    padded = np.zeros((50, 16), np.float32)
    other = np.empty((50, 7), np.float32)
    Embeddings(padded[:, :7], other).draw(1, u_range=0.75, v_range=0.0)
    assert np.array_equal(padded[:, :7], whole)
    assert (padded[:, 7:] == 0).all()


def test_buckets_of_no_word_are_zero() -> None:
    rows = WordRows.of_words(["ab", "cd"], Ngrams(3, 3, 50))
    drawn = Embeddings.empty(2, 4, rows)
    drawn.draw(1, u_range=1.0, v_range=0.0)
    used = np.zeros(52, dtype=bool)
    used[rows.rows] = True
    assert 2 < used.sum() < 52
    assert (drawn.u[used] != 0).all()
    assert (drawn.u[~used] == 0).all()
