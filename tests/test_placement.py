import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sg_train.reports.placement import place_labels

FRAME = (300.0, 200.0)
points = st.lists(
    st.tuples(st.floats(0, 300), st.floats(0, 200), st.integers(5, 80)),
    min_size=1,
    max_size=40,
)


@given(points)
def test_no_label_lies_on_another_or_leaves_the_frame(rows) -> None:
    places = np.array([row[:2] for row in rows])
    sizes = np.array([(row[2], 12) for row in rows], dtype=float)
    centres = place_labels(places, sizes, FRAME, gap=3)
    shown = np.flatnonzero(~np.isnan(centres[:, 0]))
    low, high = centres - sizes / 2, centres + sizes / 2
    assert (low[shown] >= 0).all()
    assert (high[shown] <= FRAME).all()
    for i in shown:
        for j in shown[shown > i]:
            apart = (low[i] >= high[j]) | (low[j] >= high[i])
            assert apart.any(), (i, j)
    # Each label touches the neighbourhood of its point.
    near = np.abs(centres[shown] - places[shown]) <= sizes[shown] / 2 + 3 * 3.5 + 1e-9
    assert near.all()


def test_the_first_choose_first() -> None:
    places = np.full((30, 2), 50.0)
    centres = place_labels(places, np.full((30, 2), 10.0), FRAME, gap=3)
    assert not np.isnan(centres[:8]).any()
    assert np.isnan(centres[-1]).any()
    assert np.allclose(centres[0], (58, 50))


def test_a_label_rather_covers_no_point() -> None:
    places = np.array([[50.0, 50.0], [60.0, 50.0]])
    centres = place_labels(places, np.full((2, 2), 10.0), FRAME, gap=3)
    assert centres[0, 0] < 50


def test_a_label_keeps_out_of_taken_boxes() -> None:
    taken = np.array([[53.0, 0.0, 100.0, 100.0]])
    places = np.array([[50.0, 50.0]])
    centres = place_labels(places, np.full((1, 2), 10.0), FRAME, 3, taken)
    assert np.allclose(centres[0], (42, 50))
