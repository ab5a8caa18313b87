import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.blocks import BlockRef
from sg_train.config import Config
from sg_train.system.ranks import Ranks
from sg_train.training.loop import Loop, Pause
from sg_train.training.schedule import LinearSchedule
from sg_train.training.signals import Signals

sizes = st.lists(st.integers(1, 9), min_size=1, max_size=9)


@dataclass
class Checkpoints:
    """Notes how long a checkpoint has taken, if one has been written."""

    seconds: float | None = None
    is_writing: bool = False

    def took(self) -> float | None:
        seconds, self.seconds = self.seconds, None
        return seconds


def make_loop(
    sizes: list[int],
    epochs: int,
    *,
    position: int = 0,
    evaluate_every: int | None = None,
    save_every: float = 1e9,
    ranks: Ranks | None = None,
) -> tuple[Loop, Signals, Checkpoints]:
    """Return a loop that can hand out blocks, and has nothing to train with."""
    starts = np.concatenate(([0], np.cumsum(sizes)))
    config = Config.model_validate(
        {
            "checkpoint": {"every_seconds": save_every},
            "evaluation": {
                "similarity": ["pairs.tsv"] if evaluate_every else [],
                "every_words": evaluate_every,
            },
        }
    )
    beginning: Any = SimpleNamespace(
        run=None,
        config=config,
        corpus=SimpleNamespace(block_starts=starts),
        resumed=SimpleNamespace(state=SimpleNamespace(position=position, pairs=0)),
    )
    schedule = LinearSchedule(0.1, 0.0, epochs, starts)
    components: Any = SimpleNamespace(
        model=None, engine=None, schedule=schedule, tests=None, held_out=None
    )
    signals, checkpoints = Signals(), Checkpoints()
    nothing: Any = None
    written: Any = checkpoints
    loop = Loop(beginning, components, ranks or Ranks(), signals, nothing, written)
    return loop, signals, checkpoints


def take(loop: Loop) -> tuple[list[BlockRef], Pause]:
    """Take the blocks up to the next pause, as an engine does."""
    loop._pause = Pause()
    blocks = list(loop._next_blocks())
    return blocks, loop._pause


def note_saved(loop: Loop, signals: Signals) -> None:
    loop._saved_at = time.monotonic()
    signals.save = False


@given(sizes, st.integers(1, 4), st.integers(1, 100), st.integers(0, 30))
def test_every_block_is_handed_out_once_and_evaluations_are_where_they_should_be(
    sizes: list[int], epochs: int, every: int, start: int
) -> None:
    refs = [BlockRef(e, b) for e in range(epochs) for b in range(len(sizes))]
    start = min(start, len(refs) - 1)
    loop, _, _ = make_loop(sizes, epochs, position=start, evaluate_every=every)
    found, evaluated = [], []
    while not loop._is_over:
        blocks, pause = take(loop)
        assert blocks
        found += blocks
        if pause.evaluate:
            evaluated.append(loop._position)
    assert found == refs[start:]
    done = np.cumsum([0, *(sizes * epochs)])
    expected = [
        position
        for position in range(start + 1, len(refs) + 1)
        if done[position] // every > done[position - 1] // every
        or position == len(refs)
    ]
    assert evaluated == expected


def test_a_checkpoint_is_due_by_time_by_signal_and_at_an_epochs_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    loop, signals, checkpoints = make_loop([1] * 10, 3, save_every=100)
    blocks = loop._next_blocks()
    for _ in range(3):
        next(blocks)
    assert not loop._pause
    clock[0] = 100
    assert next(blocks, None) is None
    assert loop._pause == Pause(save=True)
    note_saved(loop, signals)
    checkpoints.seconds = 2.0
    clock[0] += 99
    assert len(take(loop)[0]) == 27  # nor at 10 or 20: it would cost too much
    loop, signals, checkpoints = make_loop([1] * 10, 3, position=3, save_every=1000)
    checkpoints.seconds = 2.0
    clock[0] += 100
    assert len(take(loop)[0]) == 7  # worth it
    assert loop._position == 10
    note_saved(loop, signals)
    # While one is written, an epoch's end adds none; a signal does.
    loop, signals, checkpoints = make_loop([1] * 10, 3, position=3, save_every=1000)
    clock[0] += 100
    checkpoints.is_writing = True
    assert len(take(loop)[0]) == 27
    loop, signals, checkpoints = make_loop([1] * 10, 3, position=10, save_every=1000)
    checkpoints.is_writing = True
    signals.save = True
    assert len(take(loop)[0]) == 1
    note_saved(loop, signals)
    assert take(loop)[1] == Pause()


def test_after_a_signal_no_block_is_handed_out() -> None:
    loop, signals, _ = make_loop([1] * 10, 1)
    blocks = loop._next_blocks()
    next(blocks)
    signals.stop = 15
    assert next(blocks, None) is None
    assert loop._pause == Pause(stop=15, save=True)
    assert (loop._position, loop._is_over) == (1, False)


def test_the_end_asks_for_nothing() -> None:
    loop, signals, _ = make_loop([1], 1)
    signals.stop, signals.save = 15, True
    blocks, pause = take(loop)
    assert (len(blocks), pause, loop._is_over) == (1, Pause(), True)


def test_several_ranks_look_for_a_pause_after_a_block_of_each() -> None:
    class Three(Ranks):
        size = 3
        asked = 0

        def largest(self, *numbers: int) -> list[int]:
            self.asked += 1
            return [15, 0] if self.asked == 2 else list(numbers)

    loop, _, _ = make_loop([1] * 10, 1, ranks=Three())
    blocks, pause = take(loop)
    assert (len(blocks), pause) == (6, Pause(stop=15, save=True))
