import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sg_train.vectors import nearest
from sg_train.vectors.cosine import unit
from sg_train.vectors.nearest import LOWEST, Candidates, nearest_rows


def blocks_of(matrix: np.ndarray, size: int):
    for first in range(0, len(matrix), size):
        yield first, matrix[first : first + size]


def no_scores(query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    raise AssertionError("there are few candidates")


def sorted_in_float64(
    asked: np.ndarray, own: np.ndarray, matrix: np.ndarray, top: int
) -> tuple[np.ndarray, np.ndarray]:
    cosines = (asked.astype(np.float64) @ matrix.T.astype(np.float64)).astype("f4")
    for query, rows in enumerate(own):
        cosines[query, rows[rows >= 0]] = -np.inf
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :top]
    return order, np.take_along_axis(cosines, order, axis=1)


@pytest.mark.parametrize("block", [1, 15, 16, 100, 333, 5000])
@pytest.mark.parametrize("top", [1, 7, 100])
def test_they_are_those_of_a_whole_sort(block: int, top: int) -> None:
    generator = np.random.default_rng(block)
    matrix = unit(generator.normal(size=(1000, 12)).astype("f4"))
    own = np.stack((np.arange(90), generator.integers(-1, 1000, 90)), axis=1)
    own[5] = -1
    asked = matrix[:90]
    rows, cosines = nearest_rows(
        asked, own, blocks_of(matrix, block), matrix.__getitem__, top
    )
    expected, scores = sorted_in_float64(asked, own, matrix, top)
    assert np.array_equal(rows, expected)
    assert np.array_equal(cosines, scores)
    assert rows[5, 0] == 5  # nothing is left out for it


@settings(max_examples=200)
@given(
    values=st.lists(
        st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), min_size=40, max_size=40),
        min_size=1,
        max_size=3,
    ),
    top=st.integers(1, 45),
    block=st.integers(1, 41),
)
def test_candidates_hold_the_best_in_row_order(values, top: int, block: int) -> None:
    scores = np.array(values, dtype=np.float32)
    candidates = Candidates(np.zeros(len(scores), np.float32), top, no_scores)
    for first in range(0, 40, block):
        candidates.add(scores[:, first : first + block], first)
    query, rows = candidates.pairs()
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    for number, expected in enumerate(order):
        found = rows[query == number]
        assert found[: len(expected)].tolist() == expected.tolist()


def test_what_rounding_may_have_decided_is_a_candidate() -> None:
    scores = np.full((1, 64), 0.5, np.float32)
    scores[0, 40] = np.nextafter(np.float32(0.5), np.float32(0))  # a bit less
    scores[0, 50] = 0.4999
    candidates = Candidates(np.full(1, 1e-6, np.float32), 3, no_scores)
    candidates.add(scores, 0)
    rows = candidates.pairs()[1]
    assert 40 in rows
    assert 50 not in rows


@pytest.mark.parametrize("block", [64, 700, 2000])
def test_thousands_of_near_ties_are_decided_exactly(block: int) -> None:
    generator = np.random.default_rng(5)
    lengths = generator.uniform(0.1, 9, size=(1500, 1))
    matrix = unit((lengths * generator.normal(size=50)).astype("f4"))
    matrix[::7] = 0  # whose cosine is 0 with all
    own = np.arange(1500)[:, None]
    for part in (slice(3, 4), slice(0, 300)):
        expected, scores = sorted_in_float64(matrix[part], own[part], matrix, 3)
        rows, cosines = nearest_rows(
            matrix[part], own[part], blocks_of(matrix, block), matrix.__getitem__, 3
        )
        assert np.array_equal(rows, expected)
        assert np.array_equal(cosines, scores)


def test_thousands_of_equal_vectors_need_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrix = np.tile(unit(np.ones((1, 4), np.float32)), (5000, 1))
    asked, own = matrix[:20], np.arange(20)[:, None]
    sizes = []
    ranked = nearest._ranked

    def watched(query, *rest):
        sizes.append(len(query))
        return ranked(query, *rest)

    monkeypatch.setattr(nearest, "_ranked", watched)
    rows, cosines = nearest_rows(
        asked, own, blocks_of(matrix, 500), matrix.__getitem__, 2
    )
    assert rows[0].tolist() == [1, 2]
    assert rows[7].tolist() == [0, 1]
    assert (cosines == 1).all()
    assert max(sizes) < 20 * 600  # a block, and not all of the matrix


def test_fewer_rows_than_wanted_and_strange_ones() -> None:
    matrix = unit(np.random.default_rng(0).normal(size=(4, 3)).astype("f4"))
    matrix[2] = np.nan
    rows, cosines = nearest_rows(
        matrix, np.arange(4)[:, None], blocks_of(matrix, 3), matrix.__getitem__, 5
    )
    assert (rows[:, 3:] == -1).all()
    assert (cosines[:, 3:] == -np.inf).all()
    assert rows[0, 2] == rows[1, 2] == rows[3, 2] == 2
    assert cosines[0, 2] == LOWEST
    assert rows[2, :3].tolist() == [0, 1, 3]
    assert (cosines[2, :3] == LOWEST).all()


def test_rows_nearer_to_one_another_than_rounding_are_in_order() -> None:
    generator = np.random.default_rng(2)
    near = generator.normal(size=100) + 2e-4 * generator.normal(size=(60, 100))
    matrix = unit(near.astype("f4"))
    own = np.full((60, 1), -1)
    expected, scores = sorted_in_float64(matrix, own, matrix, 5)
    assert (scores[:, 1] - scores[:, 4] < 1e-6).all()
    rows, cosines = nearest_rows(
        matrix, own, blocks_of(matrix, 32), matrix.__getitem__, 5
    )
    assert np.array_equal(rows, expected)
    assert np.array_equal(cosines, scores)
