import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.sampling.loader import Place
from sg_train.training.pace import Pace
from sg_train.training.schedule import LinearSchedule
from sg_train.training.signals import Signals

sizes = st.lists(st.integers(1, 9), min_size=1, max_size=9)


def schedule(sizes: list[int], epochs: int) -> LinearSchedule:
    return LinearSchedule(0.1, 0.0, epochs, np.concatenate(([0], np.cumsum(sizes))))


@given(sizes, st.integers(1, 4), st.integers(1, 100), st.integers(0, 30))
def test_every_block_is_handed_out_once_and_evaluations_are_where_they_should_be(
    sizes: list[int], epochs: int, every: int, start: int
) -> None:
    places = [Place(e, b) for e in range(epochs) for b in range(len(sizes))]
    start = min(start, len(places) - 1)
    pace = Pace(
        schedule(sizes, epochs),
        Signals(),
        position=start,
        evaluate_every=every,
        save_every=1e9,
    )
    found, evaluated = [], []
    while not pace.is_over:
        part = list(pace.places())
        assert part
        found += part
        if pace.is_evaluation_due:
            evaluated.append(pace.position)
    assert found == places[start:]
    done = np.cumsum([0, *(sizes * epochs)])
    expected = [
        position
        for position in range(start + 1, len(places) + 1)
        if done[position] // every > done[position - 1] // every
        or position == len(places)
    ]
    assert evaluated == expected


def test_a_checkpoint_is_due_by_time_by_signal_and_at_an_epochs_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    signals = Signals()
    pace = Pace(schedule([1] * 10, 3), signals, save_every=100)
    places = pace.places()
    for _ in range(3):
        next(places)
    assert not pace.is_save_due
    clock[0] = 100
    assert next(places, None) is None
    pace.note_save()
    pace.note_save_took(2.0)
    clock[0] += 99
    assert len(list(pace.places())) == 27  # nor at 10 or 20: it would cost too much
    pace = Pace(schedule([1] * 10, 3), signals, position=3, save_every=1000)
    pace.note_save_took(2.0)
    clock[0] += 100
    assert len(list(pace.places())) == 7  # worth it
    assert pace.position == 10
    pace.note_save()
    signals.save = True
    assert len(list(pace.places())) == 1
    pace.note_save()
    assert not pace.is_save_due


def test_told_to_stop_it_hands_out_nothing_more() -> None:
    signals = Signals()
    pace = Pace(schedule([1] * 10, 1), signals, save_every=1e9)
    places = pace.places()
    next(places)
    signals.stop = 15
    assert next(places, None) is None
    assert (pace.position, pace.stop is not None, pace.is_over) == (1, True, False)


def test_the_end_asks_for_no_checkpoint() -> None:
    pace = Pace(schedule([1], 1), Signals())
    list(pace.places())
    assert pace.is_over
    assert not pace.is_save_due
    assert not pace.is_evaluation_due
